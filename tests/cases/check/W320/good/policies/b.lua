allow "b" { action = "read", resource = "invoice:acme/*", roles = "manager", reason = "x" }
