allow "s" { action = "shred", resource = "invoice", roles = "manager", same = "tenant", reason = "x" }
