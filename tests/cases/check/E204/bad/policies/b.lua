allow "b" {
  action = "read", resource = "invoice", when = function() local e = _ENV return e ~= nil end,
}
