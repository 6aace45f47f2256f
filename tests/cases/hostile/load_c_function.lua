-- refused E108
allow "h" { action = "do", resource = "thing", when = same }
