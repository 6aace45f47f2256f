-- Data as tables of our own, made once while the policy loads: reading these calls no C function.

local M = {}

function M.of(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, item in sorted(value) do copy[key] = M.of(item) end
  return copy
end

return M
