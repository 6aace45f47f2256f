-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t, k = {}, 0.5
    for i = 1, 4096 do t[i + 0.5] = true end
    while true do t[k] = nil; k = k + 1; t[k + 4096] = true end
  end }
