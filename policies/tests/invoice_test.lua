-- The clock of all tests stands at Monday, 2026-03-02 12:00 UTC, unless `at` says otherwise.
local viewer = token { sub = "u-vic", tenant = "acme", roles = { "viewer" } }
local ann    = token { sub = "u-ann", tenant = "acme", roles = { "accountant" } }
local boss   = token { sub = "u-max", tenant = "acme", roles = { "manager" }, amr = { "pwd", "mfa" }, auth_age = 60 }
local stale  = token { sub = "u-max", tenant = "acme", roles = { "manager" }, amr = { "pwd", "mfa" }, auth_age = 3600 }
local pwd    = token { sub = "u-max", tenant = "acme", roles = { "manager" }, amr = { "pwd" }, auth_age = 60 }
local other  = token { sub = "u-eve", tenant = "globex", roles = { "manager" }, amr = { "mfa" }, auth_age = 60 }
local nobody = token { sub = "u-new", tenant = "acme", roles = {} }

matrix "invoice of the own tenant" {
  resource = "invoice:acme/4711", with = { amount = 900, owner = "u-bob" }, at = "09:00Z",
  { "as",   "read",  "list",  "create", "approve",   "delete" },
  { viewer, "allow", "allow", "deny",   "deny",      "deny" },
  { ann,    "allow", "allow", "allow",  "deny",      "deny" },
  { boss,   "allow", "allow", "allow",  "allow",     "deny" },
  { stale,  "allow", "allow", "allow",  "challenge", "deny" },
  { pwd,    "allow", "allow", "allow",  "challenge", "deny" },
  { nobody, "deny",  "deny",  "deny",   "deny",      "deny" },
  { other,  "deny",  "deny",  "deny",   "deny",      "deny" },
}

-- acme is at +01:00: its day is 07:00Z to 17:00Z.
test "creating before the office opens" { as = ann, action = "create", resource = "invoice:acme/1",
  at = "2026-03-02T07:59:00+01:00", expect = "deny", by = "not_granted" }
test "creating when the office opens" { as = ann, action = "create", resource = "invoice:acme/1",
  at = "2026-03-02T08:00:00+01:00", expect = "allow", by = "invoice.create" }
test "creating after hours" { as = ann, action = "create", resource = "invoice:acme/1",
  at = "18:30Z", expect = "deny", by = "not_granted" }
test "creating on a Sunday" { as = ann, action = "create", resource = "invoice:acme/1",
  at = "2026-03-01T10:00:00Z", expect = "deny", by = "not_granted" }
test "another time zone, another day" { as = other, action = "create", resource = "invoice:globex/1",
  at = "2026-03-02T22:30:00Z", expect = "allow", by = "invoice.create" }

test "up to the limit" { as = boss, action = "approve", resource = "invoice:acme/1",
  with = { amount = 10000, owner = "u-bob" }, expect = "allow", by = "invoice.approve" }
test "above the limit" { as = boss, action = "approve", resource = "invoice:acme/1",
  with = { amount = 10000.01, owner = "u-bob" }, expect = "deny", by = "not_granted" }
test "nobody approves their own invoice" { as = boss, action = "approve", resource = "invoice:acme/1",
  with = { amount = 5, owner = "u-max" }, expect = "deny", by = "not_granted" }
test "no amount, no approval" { as = boss, action = "approve", resource = "invoice:acme/1",
  with = { owner = "u-bob" }, expect = "deny", by = "not_granted" }
test "no owner, no approval" { as = boss, action = "approve", resource = "invoice:acme/1",
  with = { amount = 5 }, expect = "deny", by = "not_granted" }
test "a tenant without limits approves nothing" {
  as = token { sub = "u-zoe", tenant = "initech", roles = { "manager" }, amr = { "mfa" }, auth_age = 60 },
  action = "approve", resource = "invoice:initech/1",
  with = { amount = 5, owner = "u-bob" }, expect = "deny", by = "not_granted" }

test "step-up after five minutes" {
  as = token { sub = "u-max", tenant = "acme", roles = { "manager" }, amr = { "mfa" }, auth_age = 301 },
  action = "approve", resource = "invoice:acme/1",
  with = { amount = 5, owner = "u-bob" }, expect = "challenge", by = "invoice.approve.fresh-mfa" }
test "no step-up is offered to somebody who is refused anyway" { as = pwd, action = "approve",
  resource = "invoice:acme/1", with = { amount = 99999, owner = "u-bob" }, expect = "deny", by = "not_granted" }
