-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return '10' + 1 == 11
  end }
