allow "b" {
  action = "read", resource = "invoice", reason = "test", when = function() return os.time() > 0 end,
}
