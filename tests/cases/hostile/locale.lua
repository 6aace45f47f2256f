-- allow
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return tostring(1.5) == '1.5' and 'a' < 'b' and 'Z' < 'a' and string.format('%.1f', 2.5) == '2.5'
  end }
