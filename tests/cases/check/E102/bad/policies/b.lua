allow "b" {
  action = "read", resource = "invoice", roles = 7,
}
