-- fault error
allow "h" { action = "do", resource = "thing", when = function(sub, res)
 local x = res and sub
 x.q = 1
 return x.q == 1 end }
