-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t = { [{}] = 1 }
    for _ in sorted(t) do end
    return true
  end }
