-- fault budget
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    for i = 1, math.maxinteger do end
    return true
  end }
