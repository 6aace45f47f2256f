-- allow
allow (("a"):rep(127)) { action = "do", resource = "thing", reason = ("é"):rep(127) }
