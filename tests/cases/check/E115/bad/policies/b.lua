local teams = require "lib.teams"
allow "b" {
  action = "read", resource = "invoice", reason = "test",
  roles = teams.lead,
  when = teams.own,
}
