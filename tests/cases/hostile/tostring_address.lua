-- allow
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return tostring({}) == 'table' and tostring(sub) == 'table' and tostring(same) == 'function'
  end }
