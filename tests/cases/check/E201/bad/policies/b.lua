limit = 5
allow "b" {
  action = "read", resource = "invoice",
}
