-- refused E209

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t = {}
    local base = string.rep('\0', 60000)
    for i = 1, 60 do t[i] = base .. tostring(1000 + i) end
    while true do table.sort(t) end
  end }
