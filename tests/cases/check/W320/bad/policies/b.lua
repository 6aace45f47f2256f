allow "b" { action = "read", resource = "invoice:acme/*", roles = "manager", same = "tenant", reason = "x" }
