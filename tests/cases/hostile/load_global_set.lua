-- refused E201
x = 1
