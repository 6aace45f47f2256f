-- Sharing lists hold user ids and group names.
local M = {}

function M.reaches(list, sub)
  return has(list, sub.id) or overlaps(list, sub.groups)
end

return M
