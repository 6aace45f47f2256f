allow "b" {
  action = "read", resource = "invoice",
  when = function(sub) return has(sub.roles, "manager") end,
}
