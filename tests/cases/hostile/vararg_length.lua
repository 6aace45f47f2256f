-- fault memory

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local function f(n, ...)
      if n > 0 then return f(n - 1, 1, ...) end
      while true do n = select('#', ...) end
    end
    return f(50000)
  end }
