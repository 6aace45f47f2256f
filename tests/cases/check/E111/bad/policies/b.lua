allow "b" {
  action = "raed", resource = "invoice",
}
