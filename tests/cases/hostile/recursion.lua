-- fault memory
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local function f(n) return 1 + f(n + 1) end
    return f(1) == 1
  end }
