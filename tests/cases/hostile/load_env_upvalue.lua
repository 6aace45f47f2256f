-- refused E204
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local e = _ENV
    return e ~= nil
  end }
