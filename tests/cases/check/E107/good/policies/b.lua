allow "b" {
  action = "read", resource = "invoice:acme/*", reason = "test",
}
