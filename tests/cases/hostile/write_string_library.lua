-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    string.rep = nil
    return true
  end }
