Lua-- refused E209
