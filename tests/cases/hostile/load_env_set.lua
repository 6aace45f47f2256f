-- refused E204
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    _ENV = {}
    return true
  end }
