-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t, k, m = {}, 1, 1023 * 511
    for i = 1, 1024 do t[i * m] = true end
    while true do t[k * m] = nil; t[(k + 1024) * m] = true; k = k + 1 end
  end }
