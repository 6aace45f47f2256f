allow "b" {
  action = "read", resource = "invoice", same = "tenant",
}
