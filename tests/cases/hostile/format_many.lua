-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local s = string.rep('x', 60000)
    return string.format('%s%s', s, s) ~= nil
  end }
