-- fault error

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local s = string.rep('7', 60000)
    local n = 0
    while true do n = n | s end
  end }
