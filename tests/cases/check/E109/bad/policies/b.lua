allow "b" {
  action = "read", resource = "invoice", oblige = "mfa",
}
