allow "b" {
  action = "read", resource = "invoice", when = has,
}
