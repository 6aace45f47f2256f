-- refused E102
allow "a" { action = 0/0, resource = function() end, reason = ("x"):rep(300), oblige = { { type = "x", n = 0/0 } }, advise = { type = 3 }, [1] = 2, [{}] = 3 }
