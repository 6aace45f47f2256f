local n = 0
allow "b" {
  action = "read", resource = "invoice",
  when = function() local m = n + 1 return m < 3 end,
}
