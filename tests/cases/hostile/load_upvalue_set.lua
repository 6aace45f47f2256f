-- refused E203
local n = 0
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    n = n + 1
    return n > 1
  end }
