-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return #res.missing == 0
  end }
