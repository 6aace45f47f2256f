-- refused E103
allow "h" { resource = "thing" }
