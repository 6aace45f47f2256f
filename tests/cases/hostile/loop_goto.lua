-- fault budget
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    ::again:: goto again
  end }
