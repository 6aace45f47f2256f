allow "b" {
  action = "read", resource = "invoice",
}
