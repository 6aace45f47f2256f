-- refused E106
allow "h" { action = "do", resource = "thing", when = function() return true end, unless = function() return true end }
