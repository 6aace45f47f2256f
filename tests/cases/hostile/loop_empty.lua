-- fault budget
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    while true do end
  end }
