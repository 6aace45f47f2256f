-- refused E101
allow "h" { action = "do", resource = "thing", role = "x" }
