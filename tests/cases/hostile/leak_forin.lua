-- fault error
allow "h" { action = "do", resource = "thing", when = function(sub, res)
 for a, b in function(s, c) if c == nil then return s end end, sub, nil do a.q = 1 return a.q == 1 end return false end }
