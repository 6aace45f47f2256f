-- refused E202
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return getmetatable('') ~= nil
  end }
