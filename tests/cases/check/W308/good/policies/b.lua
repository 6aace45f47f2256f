allow "b" {
  action = "read", resource = "invoice", same = "tenant", issuers = "https://idp.example", reason = "our own people",
}
