allow "b" {
  resource = "invoice",
}
