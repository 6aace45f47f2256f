-- refused E204
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return _ENV[sub.id] ~= nil
  end }
