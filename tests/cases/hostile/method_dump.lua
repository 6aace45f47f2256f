-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return ('x'):dump() ~= nil
  end }
