allow "b" {
  action = "read", resource = "invoce", reason = "test",
}
