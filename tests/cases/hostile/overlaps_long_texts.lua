-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local a, b = {}, {}
    local base = string.rep('x', 60000)
    for i = 1, 50 do a[i] = base .. tostring(1000 + i) b[i] = base .. tostring(2000 + i) end
    while true do if overlaps(a, b) then return true end end
  end }
