-- allow
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local ok = select('#', table.unpack({}, math.mininteger, math.mininteger + 3))
    local b = select('#', table.unpack({}, math.maxinteger - 1, math.maxinteger))
    return ok == 4 and b == 2
  end }
