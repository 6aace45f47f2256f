local teams = data "teams"         -- user -> the user's teams and the teams above them

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
  when     = function(sub, res) return has(teams[sub.id], res.editors) end,
  reason   = "a team of the user edits the list",
}

allow "list.team.read" {
  action   = "GetList",
  resource = "list",
  when     = function(sub, res)
    local mine = teams[sub.id]
    return has(mine, res.readers) or has(mine, res.editors)
  end,
  reason   = "a team of the user reads or edits the list",
}
