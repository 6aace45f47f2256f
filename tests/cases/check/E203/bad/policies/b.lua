local n = 0
allow "b" {
  action = "read", resource = "invoice",
  when = function() n = n + 1 return n < 3 end,
}
