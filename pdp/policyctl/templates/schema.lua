-- Everything that a rule may name. A name that is not here is an error in `policyctl check`, and reads
-- as nil at run time.

claims {                                          -- what `sub` is made of
  id        = { from = "sub", type = "string", required = true },
  tenant    = { from = "tenant", type = "string" },
  client    = { from = "azp", type = "string" },  -- the program that asks
  roles     = { from = "roles", type = "set" },
  scopes    = { from = "scope", type = "scopes" },
  amr       = { from = "amr", type = "set" },     -- how the user signed in
  auth_time = { from = "auth_time", type = "number" },
}

roles {                                           -- role = { the roles that it includes }
  viewer     = {},
  accountant = { "viewer" },
  manager    = { "accountant" },
}

resource "invoice" {                              -- invoice:acme/4711: res.tenant, res.number
  id      = "{tenant}/{number}",
  actions = { "read", "list", "create", "approve", "delete" },
  attrs   = { owner = "string?", amount = "number?" },
}
