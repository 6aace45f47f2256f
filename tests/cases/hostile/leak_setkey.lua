-- fault error
allow "h" { action = "do", resource = "thing", when = function(sub, res)
 local t = {} t[sub] = 1
 local r = {sub, res} r[1].a = 1
 return r[1].a == 1 end }
