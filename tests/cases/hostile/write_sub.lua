-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    sub.roles = { 'admin' }
    return true
  end }
