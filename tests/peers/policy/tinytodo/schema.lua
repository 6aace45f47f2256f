claims {
  id    = { from = "sub", type = "string", required = true },
  owner = { from = "sub", type = "string" },     -- so that a head can say: the caller owns it
}

resource "application" { actions = { "CreateList", "GetLists" } }

resource "list" {
  actions = { "GetList", "UpdateList", "DeleteList", "CreateTask", "UpdateTask", "DeleteTask", "EditShares" },
  attrs   = { owner = "string", readers = "string", editors = "string" },
}
