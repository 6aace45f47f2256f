allow "b" {
  action = "read", resource = "invoice", reason = "test", role = "viewer",
}
