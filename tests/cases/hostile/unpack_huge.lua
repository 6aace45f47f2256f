-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return select('#', table.unpack({}, 1, 1e8)) > 0
  end }
