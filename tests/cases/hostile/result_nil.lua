-- fault result
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local x = 1
  end }
