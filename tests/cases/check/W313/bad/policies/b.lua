allow "b" {
  action = "read", resource = "invoice",
  when = function(sub) return has("manager", sub.roles) end,
}
allow "c" {
  action = "read", resource = "invoice",
  when = function(sub) return overlaps(sub.roles, "manager") end,
}
