-- fault error
local list = { 2, 1 }
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    table.sort(list)
    return true
  end }
