-- refused E109
allow "h" { action = "do", resource = "thing", oblige = { max = 1 } }
