-- fault memory

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local function f(...) return f(1, ...) end
    return f(1)
  end }
