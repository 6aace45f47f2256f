-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local s = string.rep('k', 60000)
    local n = 0
    while true do if sub[s] ~= nil then n = n + 1 end end
  end }
