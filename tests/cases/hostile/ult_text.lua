-- fault error

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local s = '0x' .. string.rep('f', 60000)
    while true do math.ult(s, 1) end
  end }
