local owner  = token { sub = "u-ann", tenant = "acme", groups = { "sales" } }
local friend = token { sub = "u-bob", tenant = "acme", groups = { "sales" } }
local mate   = token { sub = "u-cyd", tenant = "acme", groups = { "legal", "works-council" } }
local rival  = token { sub = "u-eve", tenant = "globex", groups = { "works-council" } }

matrix "a document shared with one user and one group" {
  resource = "doc:acme/plan", with = { owner = "u-ann", shared_with = { "u-bob", "works-council" } },
  { "as",   "read",  "comment", "write", "share" },
  { owner,  "allow", "allow",   "allow", "allow" },
  { friend, "allow", "allow",   "deny",  "deny" },
  { mate,   "allow", "allow",   "deny",  "deny" },
  { rival,  "deny",  "deny",    "deny",  "deny" },
}

matrix "a document that is not shared" {
  resource = "doc:acme/diary", with = { owner = "u-ann" },
  { "as",   "read",  "comment", "write", "share" },
  { owner,  "allow", "allow",   "allow", "allow" },
  { friend, "deny",  "deny",    "deny",  "deny" },
}

test "an ownerless document belongs to nobody" { as = friend, action = "write", resource = "doc:acme/found",
  expect = "deny", by = "not_granted" }
test "the handbook is for all of the tenant" { as = friend, action = "read", resource = "doc:acme/handbook",
  expect = "allow", by = "doc.handbook" }
test "the handbook is not for other tenants" { as = rival, action = "read", resource = "doc:acme/handbook",
  expect = "deny", by = "tenant.isolation" }
test "support does not read handbooks" { as = token { sub = "u-sam", roles = { "support" } },
  action = "read", resource = "doc:acme/handbook", expect = "deny", by = "not_granted" }
