local M = {}
local function small(what, limit)
  return what.amount ~= nil and what.amount < limit
end
function M.small(limit, what) return small(what, limit) end
return M
