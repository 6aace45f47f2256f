-- refused E104
allow "h" { action = "do", resource = "thing" }
allow "h" { action = "do", resource = "thing" }
