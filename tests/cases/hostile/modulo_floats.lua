-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local a, b, n = 1e308, 1e-308, 0
    while true do n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b n = a % b  end
  end }
