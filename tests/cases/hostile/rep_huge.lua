-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return string.rep('x', 500000000) ~= nil
  end }
