-- fault budget
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    repeat local x = 1 until false
  end }
