-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local a, n = 1e308, 0
    while true do n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7 n = a % 7  end
  end }
