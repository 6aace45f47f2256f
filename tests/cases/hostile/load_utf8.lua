-- refused E202
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return utf8.char(1) ~= nil
  end }
