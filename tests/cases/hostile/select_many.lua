-- fault error

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local function f(n, ...)
      if n == 0 then return select("#", ...) == 257 end
      return f(n - 1, 1, ...)
    end
    return f(257)
  end }
