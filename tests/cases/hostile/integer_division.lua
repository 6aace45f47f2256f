-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return 1 // 0 == 1
  end }
