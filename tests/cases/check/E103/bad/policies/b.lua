allow "b" {
  resource = "invoice", reason = "test",
}
