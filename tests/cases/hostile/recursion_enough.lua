-- allow

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local function f(n, a, b, c, d, e) if n == 0 then return 0 end return 1 + f(n - 1, n, n, n, n, n) end
    return f(100) == 100
  end }
