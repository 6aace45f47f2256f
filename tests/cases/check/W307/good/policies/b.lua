local money = require "lib.money"
allow "b" {
  action = "read", resource = "invoice",
  when = function(sub, res, ctx) return money.small(res) end,
}
