-- budget or result
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t = {}
    for i = 1, 200 do t[i] = i end
    table.sort(t, function() return true end)
    return true
  end }
