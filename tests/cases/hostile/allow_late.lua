-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    allow 'x' { action = 'do', resource = 'thing' }
    return true
  end }
