allow "b" {
  action = "read", resource = "invoice", reason = "test",
  when = function(sub) return has(sub.roles, "manager") end,
  unless = function(sub) return has(sub.roles, "manager") end,
}
