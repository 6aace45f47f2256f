-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local s = '0.' .. string.rep('7', 60000) .. 'e-300'
    while true do for i = 1.5, s do break end end
  end }
