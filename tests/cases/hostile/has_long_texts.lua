-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t = {}
    local base = string.rep('x', 60000)
    for i = 1, 60 do t[i] = base .. tostring(1000 + i) end
    local l = {}
    for i = 1, 2000 do l[i] = t[i % 60 + 1] end
    local y = base .. '9999'
    while true do if has(l, y) then return true end end
  end }
