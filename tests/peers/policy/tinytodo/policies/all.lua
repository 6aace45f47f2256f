local tables = require "lib.tables"
local teams  = tables.of(data "teams")     -- user -> the set of the user's teams and the teams above them

allow "application" {
  action   = { "CreateList", "GetLists" },
  resource = "application",
  reason   = "everybody may create lists and list them",
}

allow "list.owner" {               -- decided in C: no function
  action   = "*",
  resource = "list",
  same     = "owner",
  reason   = "the owner may do everything",
}

allow "list.team.edit" {
  action   = { "UpdateList", "CreateTask", "UpdateTask", "DeleteTask" },
  resource = "list",
  when     = function(sub, res)
    local mine = teams[sub.id]
    return mine ~= nil and mine[res.editors] == true
  end,
  reason   = "a team of the user edits the list",
}

allow "list.team.read" {
  action   = "GetList",
  resource = "list",
  when     = function(sub, res)
    local mine = teams[sub.id]
    return mine ~= nil and (mine[res.readers] == true or mine[res.editors] == true)
  end,
  reason   = "a team of the user reads or edits the list",
}
