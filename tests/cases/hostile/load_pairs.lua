-- refused E202
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    for _ in pairs(sub) do end
    return true
  end }
