-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return string.format('%*d', 5, 5) ~= nil
  end }
