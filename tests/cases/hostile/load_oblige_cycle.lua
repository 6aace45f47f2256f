-- refused E109
local t = { type = "x" }
t.t = t
allow "h" { action = "do", resource = "thing", oblige = t }
