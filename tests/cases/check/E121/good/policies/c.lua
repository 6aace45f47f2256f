local limits = require "lib.limits"
allow "c" {
  action = "read", resource = "invoice", roles = "manager",
  when = function(_, res) return limits.small(100, res) end,
}
