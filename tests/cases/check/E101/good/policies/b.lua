allow "b" {
  action = "read", resource = "invoice", roles = "viewer",
}
