allow "b" {
  action = "raed", resource = "invoice", reason = "test",
}
