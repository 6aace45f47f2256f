local vic = token { sub = "u-vic", tenant = "acme", roles = { "viewer" } }
local max = token { sub = "u-max", tenant = "acme", roles = { "manager" } }
local eve = token { sub = "u-eve", tenant = "globex", roles = { "viewer" } }
local new = token { sub = "u-new", tenant = "acme", roles = {} }

matrix "reading invoices" {
  resource = "invoice:acme/4711",
  { "as", "read",  "list" },
  { vic,  "allow", "allow" },
  { max,  "allow", "allow" },
  { eve,  "deny",  "deny" },
  { new,  "deny",  "deny" },
}

test "reading is not deleting" { as = max, action = "delete", resource = "invoice:acme/4711",
  expect = "deny", by = "not_granted" }

-- Checked on every decision that any test makes.
invariant "no cross-tenant allow" {
  when = function(sub, res, _, decision)
    return not (decision.allowed and sub.tenant ~= res.tenant)
  end,
}
