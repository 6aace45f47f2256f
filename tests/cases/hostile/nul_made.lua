-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return string.rep(string.char(0), 60000) < 'a'
  end }
