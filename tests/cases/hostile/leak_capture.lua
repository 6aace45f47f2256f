-- fault error
local seen = {}
allow "h" { action = "do", resource = "thing", when = function(sub)
 local function f() return sub end
 local x = f()
 x.a = 1
 return x.a == 1 end }
