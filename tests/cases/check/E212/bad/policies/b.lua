for i = 1, 100000000 do local x = i end
allow "b" {
  action = "read", resource = "invoice",
}
