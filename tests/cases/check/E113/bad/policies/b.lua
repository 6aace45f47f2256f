allow "b" {
  action = "read", resource = "invoice", reason = "test", same = "owner",
}
