allow "b" {
  action = "read", resource = "invoice", reason = "test",
  when = function(sub, res, ctx) return res.amuont ~= nil end,
}
