allow "b" {
  action = "read", resource = "invoice", reason = "test", same = "id_of_nobody",
}
