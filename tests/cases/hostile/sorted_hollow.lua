-- fault budget
local T = {}
for i = 1, 6000 do T[-i] = true end
for i = 1, 6000 do T[-i] = nil end
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    while true do for k in sorted(T) do end end
  end }
