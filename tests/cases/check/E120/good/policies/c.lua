local who = require "lib.who"
allow "c" {
  action = "read", resource = "invoice", roles = "manager",
  when = function(sub) return who.checks[1](sub) end,
}
