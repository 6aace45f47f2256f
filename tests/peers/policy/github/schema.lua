claims { id = { from = "sub", type = "string", required = true } }

resource "repository" {
  actions = { "read", "triage", "write", "maintain", "admin" },
  attrs   = { owner = "string" },
}
