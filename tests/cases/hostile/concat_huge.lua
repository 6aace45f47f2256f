-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t, s = {}, string.rep('x', 60000)
    for i = 1, 50 do t[i] = s end
    return table.concat(t) ~= nil
  end }
