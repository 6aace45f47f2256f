-- refused E202
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    rawset(sub, 'id', 1)
    return true
  end }
