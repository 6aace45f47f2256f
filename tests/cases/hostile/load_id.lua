-- refused E211
allow "a b" { action = "do", resource = "thing" }
