-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    error(string.rep('x', 60000))
  end }
