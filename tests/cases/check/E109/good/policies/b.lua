allow "b" {
  action = "read", resource = "invoice", oblige = { type = "notify" },
}
