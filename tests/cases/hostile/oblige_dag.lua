-- refused E109
local a = { type = "x" }
for i = 1, 7 do
  local b = {}
  for k = 1, 200 do b[k] = a end
  a = b
end
allow "h" { action = "do", resource = "thing", oblige = a }
