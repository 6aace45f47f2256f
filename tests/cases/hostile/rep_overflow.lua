-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return string.rep('ab', math.maxinteger) ~= nil
  end }
