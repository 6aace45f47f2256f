-- allow
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return string.rep('', math.maxinteger) == ''
  end }
