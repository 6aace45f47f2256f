-- refused E202
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    print(1)
    return true
  end }
