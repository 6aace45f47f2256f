local limits = data "limits"
allow "b" {
  action = "read", resource = "invoice", reason = "test",
  when = function(sub) return limits[sub.tenant] ~= nil end,
}
