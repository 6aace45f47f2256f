claims {
  id     = { from = "sub", type = "string", required = true },
  tenant = { from = "tenant", type = "string" },
  roles  = { from = "roles", type = "set" },
}
roles { viewer = {}, manager = { "viewer" } }
resource "invoice" { id = "tenant/{number}", actions = { "read" },
  attrs = { owner = "string?", amount = "number?" } }
