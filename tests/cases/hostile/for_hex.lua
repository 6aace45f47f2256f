-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local s = '0x' .. string.rep('f', 60000)
    while true do for i = 1, s do break end end
  end }
