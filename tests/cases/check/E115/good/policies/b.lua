local teams = require "lib.teams"
local everybody
allow "b" {
  action = "read", resource = "invoice",
  roles = teams.leads,
  when = teams.owns,
  clients = nil, -- said: everybody
  advise = everybody,
}
