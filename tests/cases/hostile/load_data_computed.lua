-- refused E205
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return data(sub.id) ~= nil
  end }
