-- allow
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local nan = 0/0
    return not same(nan, nan) and not has({ nan }, nan)
  end }
