allow "b" {
  action = "read", resource = "invoice", reason = "test",
  when = function(sub, res, ctx) return same(sub.tenant, res.owner) end,
}
