local M = {}
local function small(what, limit)
  return what.amuont ~= nil and what.amuont < limit
end
function M.small(limit, what) return small(what, limit) end
return M
