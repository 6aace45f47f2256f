allow "b" {
  action = "read", resource = "invoice",
}
allow "b" {
  action = "read", resource = "invoice",
}
