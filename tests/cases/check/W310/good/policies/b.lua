local function mine(sub, res)
  return sub.tenant ~= nil and sub.tenant == res.owner
end
allow "b" {
  action = "read", resource = "invoice",
  when = function(sub, res, ctx) return same(sub.tenant, res.owner) end,
}
allow "b.tested" {
  action = "read", resource = "invoice", roles = "manager",
  when = function(sub, res, ctx) return mine(sub, res) end,
}
