-- allow
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return type(sub) == 'table' and type(sub.roles) == 'table'
  end }
