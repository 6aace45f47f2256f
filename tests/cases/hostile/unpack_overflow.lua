-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return select('#', table.unpack({}, math.mininteger, math.maxinteger)) > 0
  end }
