-- Everything that a rule may name. A name that is not here is an error in `policyctl check`, and reads
-- as nil at run time.

claims {                                            -- what `sub` is made of
  id        = { from = "sub", type = "string", required = true },
  tenant    = { from = "tenant", type = "string" },
  client    = { from = "azp", type = "string" },    -- the program that asks
  actor     = { from = "act.sub", type = "string" },-- the service that asks for somebody else
  roles     = { from = "roles", type = "set" },
  groups    = { from = "groups", type = "set" },
  scopes    = { from = "scope", type = "scopes" },
  amr       = { from = "amr", type = "set" },       -- how the user signed in
  auth_time = { from = "auth_time", type = "number" },
}

roles {                                             -- role = { the roles that it includes }
  viewer     = {},
  support    = {},
  accountant = { "viewer" },
  auditor    = { "viewer" },
  manager    = { "accountant", "auditor" },
}

resource "invoice" {                                -- invoice:acme/4711: res.tenant, res.number
  id      = "{tenant}/{number}",
  actions = { "read", "list", "create", "approve", "delete" },
  attrs   = { owner = "string?", amount = "number?" },
}

resource "doc" {                                    -- doc:acme/handbook
  id      = "{tenant}/{name}",
  actions = { "read", "comment", "write", "share" },
  attrs   = { owner = "string?", shared_with = "set?" },
}

resource "ledger" {                                 -- ledger:acme
  id      = "{tenant}",
  actions = { "read", "append" },
}
