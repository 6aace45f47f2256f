-- refused E212
while true do end
