-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t, k = {}, 0
    for i = 1, 8192 do t[i] = true end
    for i = 1, 4 do t[i + 0.5] = true end
    while true do k = k + 1; t[k - 0.5] = nil; t[k + 4.5] = true end
  end }
