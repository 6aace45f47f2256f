-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    math.floor = function() return 1 end
    return true
  end }
