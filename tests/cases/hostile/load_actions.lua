-- refused E215
local A = {}
for i = 1, 1000 do A[i] = "a" .. i end
local T = {}
for r = 1, 4 do
  T = {}
  for i = 1, 1000 do T[i] = "t" .. r .. "x" .. i end
  allow ("t" .. r) { action = "*", resource = T }
end
for r = 1, 3900 do allow ("w" .. r) { action = A, resource = "*" } end
