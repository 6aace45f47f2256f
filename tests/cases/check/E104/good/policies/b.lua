allow "b" {
  action = "read", resource = "invoice", reason = "test",
}
allow "c" {
  action = "read", resource = "invoice", reason = "test",
}
