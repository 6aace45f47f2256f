-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local f = res.f
    return f()
  end }
