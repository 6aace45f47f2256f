-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    claims { x = {} }
    return true
  end }
