-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local a, t = 1.2345678901234e-300, {}
    for i = 1, 200 do t[i] = a end
    while true do local s = table.concat(t) .. tostring(a) end
  end }
