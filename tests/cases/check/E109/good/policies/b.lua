allow "b" {
  action = "read", resource = "invoice", reason = "test", oblige = { type = "notify" },
}
