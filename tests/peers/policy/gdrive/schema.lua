claims { id = { from = "sub", type = "string", required = true } }

resource "document" {
  actions = { "read", "write", "share", "changeOwner" },
  attrs   = { public = "boolean" },
}

resource "folder" { actions = { "createDocument" } }
