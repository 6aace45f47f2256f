local limits = data "limits"
allow "b" {
  action = "read", resource = "invoice",
  when = function(sub, res, ctx) local l = limits[res.tenant]; return l ~= nil and res.amount == l end,
}
