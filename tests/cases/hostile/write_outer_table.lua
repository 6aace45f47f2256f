-- fault error
local cache = {}
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    cache.n = 1
    return true
  end }
