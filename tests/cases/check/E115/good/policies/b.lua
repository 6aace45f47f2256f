local teams = require "lib.teams"
local everybody
allow "b" {
  action = "read", resource = "invoice", reason = "test",
  roles = teams.leads,
  when = teams.owns,
  clients = nil, -- said: everybody
  advise = everybody,
}
