-- fault result
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return 0
  end }
