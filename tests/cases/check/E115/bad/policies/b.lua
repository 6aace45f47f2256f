local teams = require "lib.teams"
allow "b" {
  action = "read", resource = "invoice",
  roles = teams.lead,
  when = teams.own,
}
