local ann = token { sub = "ann", roles = { "viewer" }, tenant = "acme" }
test "own" { as = ann, action = "read", resource = "invoice:acme/1", expect = "allow", by = "invoice.raed" }
