allow "b" {
  action = "read", resource = "invoice",
  when = function(sub, res, ctx) return res.amount ~= nil end,
}
