-- refused E107
allow "h" { action = "do", resource = "thing:a*/b" }
