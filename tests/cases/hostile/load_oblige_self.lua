-- refused E109
local t = { type = "x" } t.t = t
allow "a" { action = "do", resource = "thing", oblige = t }
