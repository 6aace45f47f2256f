test "nobody" { as = token { sub = "x" }, action = "read", resource = "invoice:acme/1", expect = "deny" }
