-- allow
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local function f(...) return select('#', ...) end
    return f(nil, nil) == 2
  end }
