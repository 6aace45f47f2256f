allow "b" {
  action = "read", resource = "invoice", reason = "test",
}
allow "b" {
  action = "read", resource = "invoice", reason = "test",
}
