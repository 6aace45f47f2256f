-- fault budget
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local function f(n) return f(n + 1) end
    return f(1) == 1
  end }
