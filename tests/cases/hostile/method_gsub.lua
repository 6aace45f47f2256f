-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return ('x'):gsub('.', '%0%0') ~= nil
  end }
