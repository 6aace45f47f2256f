-- refused E210
allow 'x' {
