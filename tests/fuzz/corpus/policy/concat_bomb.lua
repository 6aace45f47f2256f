-- fault memory
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local s = 'x'
    for i = 1, 40 do s = s .. s end
    return true
  end }
