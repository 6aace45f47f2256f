allow "b" {
  action = "read", resource = "invoce",
}
