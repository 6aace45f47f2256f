-- refused E202
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return load('return 1')() == 1
  end }
