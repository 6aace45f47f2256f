-- fault error
local cache = { inner = {} }
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    cache.inner.n = 1
    return true
  end }
