allow "b" {
  action = "read", resource = "invoice",
}
allow "c" {
  action = "read", resource = "invoice",
}
