-- refused E215
local A, T = {}, {}
for i = 1, 1000 do
  A[i] = "a" .. i
  T[i] = "t" .. i
end
for r = 1, 3 do allow ("r" .. r) { action = A, resource = T } end
