local boss    = token { sub = "u-max", tenant = "acme", roles = { "manager" }, amr = { "mfa" }, auth_age = 60 }
local lost    = token { sub = "u-ida", roles = { "manager" }, amr = { "mfa" }, auth_age = 60 }
local helper  = token { sub = "u-sam", roles = { "support" } }

-- Checked on every decision that any test makes.
invariant "no cross-tenant allow" {
  when = function(sub, res, _, decision)
    return not (decision.allowed and not has(sub.roles, "support") and sub.tenant ~= res.tenant)
  end,
}

test "own tenant only" { as = boss, action = "approve", resource = "invoice:globex/9",
  with = { amount = 5, owner = "u-bob" }, expect = "deny", by = "tenant.isolation" }
test "a token without a tenant reaches nothing" { as = lost, action = "read", resource = "invoice:acme/1",
  expect = "deny", by = "tenant.isolation" }
test "support is not held by isolation, and still needs a grant" { as = helper, action = "read",
  resource = "invoice:acme/1", expect = "deny", by = "not_granted" }

test "legal hold stops the owner" { as = boss, action = "write", resource = "doc:acme/merger-2025",
  with = { owner = "u-max" }, expect = "deny", by = "doc.legal-hold" }
test "legal hold does not stop reading" { as = boss, action = "read", resource = "doc:acme/merger-2025",
  with = { owner = "u-max" }, expect = "allow", by = "doc.owner" }

test "an action that no type declares" { as = boss, action = "explode", resource = "invoice:acme/1",
  expect = "deny", by = "unknown" }
test "a resource type that is not declared" { as = boss, action = "read", resource = "rocket:acme/1",
  expect = "deny", by = "unknown" }
test "a name with a missing segment" { as = boss, action = "read", resource = "invoice:acme",
  expect = "deny", by = "bad_request" }
