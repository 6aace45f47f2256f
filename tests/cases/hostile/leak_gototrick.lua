-- fault error
allow "h" { action = "do", resource = "thing", when = function(sub, res)
 local x
 ::top::
 if not x then x = sub; goto top end
 x.q = 1
 return x.q == 1 end }
