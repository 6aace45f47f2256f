-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    res.owner = sub.id
    return true
  end }
