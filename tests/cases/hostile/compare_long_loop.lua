-- fault budget
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local a = string.rep('a', 60000)
    local b = a .. '1'
    local n = 0
    while true do if b < a then n = n + 1 end end
  end }
