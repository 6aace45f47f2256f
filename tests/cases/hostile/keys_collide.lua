-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t, n = {}, 0
    for i = 1, 8000 do t[i * 4095 * 8191 * 16383] = true end
    while true do n = t[9000 * 4095 * 8191 * 16383] end
  end }
