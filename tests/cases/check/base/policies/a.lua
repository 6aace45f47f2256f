allow "invoice.read" {
  action = "read", resource = "invoice", roles = "viewer", same = "tenant", reason = "viewers read",
}
