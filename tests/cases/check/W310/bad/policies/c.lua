local owner = require "lib.owner"
deny "c" {
  action = "read", resource = "invoice", reason = "test",
  when = function(sub, res) return owner.other(sub, res) end,
}
