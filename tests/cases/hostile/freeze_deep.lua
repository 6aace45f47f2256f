-- refused E211
local t = {}
for i = 1, 100 do t = { t } end
allow "h" { action = "do", resource = "thing", when = function() return t[1] ~= nil end }
