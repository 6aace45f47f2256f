allow "b" {
  action = ,
}
