local hours = require "lib.hours"
allow "b" {
  action = "read", resource = "invoice", reason = "test",
  when = function() return hours.open end,
}
