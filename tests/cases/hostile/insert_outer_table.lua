-- fault error
local cache = {}
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    table.insert(cache, 1)
    return true
  end }
