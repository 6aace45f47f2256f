-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return string.rep('', 1 << 40, ',') ~= nil
  end }
