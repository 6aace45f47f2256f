-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    sub.roles[1] = 'admin'
    return true
  end }
