-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return string.format('%q', 1/0) ~= nil
  end }
