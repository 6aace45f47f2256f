-- refused E211
allow (("é"):rep(200)) { action = "do", resource = "thing" }
