-- allow

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t, n = {}, 0
    for i = 1, 1000 do t["name-" .. i] = true end
    for i = 1, 1000 do if t["name-" .. i] then n = n + 1 end end
    return n == 1000
  end }
