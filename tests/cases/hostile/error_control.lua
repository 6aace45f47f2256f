-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    error('\27[31m\n')
  end }
