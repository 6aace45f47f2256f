-- fault budget
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t = {}
    for i = 1, 5000 do t[i] = i end
    while true do for _ in ipairs(t) do end end
  end }
