-- fault error

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local function f(n, ...)
      while n == 0 do local m = math.max(...) end
      return f(n - 1, 1, ...)
    end
    return f(500)
  end }
