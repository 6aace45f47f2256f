-- fault budget
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t = {}
    for i = 1, 60000 do t[i] = function() return i, t, sub, res, ctx end end
    return true
  end }
