-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return string.format('%c', 256) < 'a'
  end }
