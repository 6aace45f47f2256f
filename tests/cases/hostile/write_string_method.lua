-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local s = ''
    s.x = 1
    return true
  end }
