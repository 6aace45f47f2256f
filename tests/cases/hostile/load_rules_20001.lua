-- refused E211
for r = 1, 20001 do allow ("w" .. r) { action = "a" .. r, resource = "x" .. r } end
