-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return string.format('%999d', 1) ~= nil
  end }
