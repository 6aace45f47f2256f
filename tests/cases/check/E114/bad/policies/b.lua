allow "b" {
  action = "read", resource = "invoice", same = "id_of_nobody",
}
