-- fault budget
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local a = string.rep('a', 60000)
    while true do if contains(a, 'b') then return true end end
  end }
