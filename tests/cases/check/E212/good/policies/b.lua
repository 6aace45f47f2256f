for i = 1, 1000 do local x = i end
allow "b" {
  action = "read", resource = "invoice",
}
