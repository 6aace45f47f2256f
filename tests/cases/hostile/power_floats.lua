-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local a, b, n = 1.0000000001, 1e10, 0
    while true do n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b n = a ^ b  end
  end }
