allow "b" {
  action = "read", resource = "invoice", role = "viewer",
}
