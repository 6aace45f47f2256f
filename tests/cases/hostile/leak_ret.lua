-- fault error
allow "h" { action = "do", resource = "thing", when = function(sub)
 return (function(...) local a = ... a.z = 1 return a.z == 1 end)(sub) end }
