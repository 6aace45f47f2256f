allow "b" {
  action = "read", resource = "invoice", same = "tenant", issuers = "https://idp.exampel", reason = "our own people",
}
