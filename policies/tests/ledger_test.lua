-- Tokens of services, as the token service of the domain issues them.
local billing = token { sub = "billing-api", azp = "billing-api", tenant = "acme", scope = "ledger:append" }
local narrow  = token { sub = "billing-api", azp = "billing-api", tenant = "acme", scope = "ledger:read" }
local on_behalf = token { sub = "u-ann", azp = "billing-api", tenant = "acme", scope = "ledger:append",
  act = { sub = "billing-api" } }
local docs    = token { sub = "doc-api", azp = "doc-api", tenant = "acme", scope = "ledger:append ledger:read" }
local bot     = token { sub = "u-sam", azp = "support-bot", roles = { "support" }, scope = "ledger:read",
  act = { sub = "support-bot" } }
local idle    = token { sub = "support-bot", azp = "support-bot", roles = { "support" }, scope = "ledger:read" }
local fooled  = token { sub = "u-eve", azp = "support-bot", tenant = "acme", scope = "ledger:read",
  act = { sub = "support-bot" } }

matrix "the ledger" {
  resource = "ledger:acme",
  { "as",      "read",  "append" },
  { billing,   "deny",  "allow" },
  { narrow,    "deny",  "deny" },
  { on_behalf, "deny",  "deny" },
  { docs,      "deny",  "deny" },
  { bot,       "allow", "deny" },
  { idle,      "deny",  "deny" },
  { fooled,    "deny",  "deny" },
}

test "billing-api stays in the tenant of its token" { as = billing, action = "append",
  resource = "ledger:globex", expect = "deny", by = "tenant.isolation" }
test "the row that allows is the right one" { as = bot, action = "read", resource = "ledger:globex",
  expect = "allow", by = "ledger.read.support" }
