-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local x <close> = {}
    return true
  end }
