local hours = require "lib.hours"
allow "b" {
  action = "read", resource = "invoice",
  when = function() return hours.open end,
}
