allow "b" {
  action = "read", resource = "invoice", reason = "test", when = function() local e = _ENV return e ~= nil end,
}
