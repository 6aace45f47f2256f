local limits = data "limits"
allow "b" {
  action = "read", resource = "invoice",
  when = function(sub) return limits[sub.tenant] ~= nil end,
}
