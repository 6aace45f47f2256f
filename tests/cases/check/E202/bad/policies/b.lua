allow "b" {
  action = "read", resource = "invoice", when = function() return os.time() > 0 end,
}
