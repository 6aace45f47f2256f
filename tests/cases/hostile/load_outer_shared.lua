-- refused E203
local ops = {}
for i = 1, 20 do ops[i] = function() ops = nil end end
allow "h" { action = "do", resource = "thing" }
