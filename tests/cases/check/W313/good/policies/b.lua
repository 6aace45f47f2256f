allow "b" {
  action = "read", resource = "invoice",
  when = function(sub) return has(sub.roles, "manager") end,
}
allow "c" {
  action = "read", resource = "invoice",
  when = function(sub) return overlaps(sub.roles, { "manager", "viewer" }) end,
}
