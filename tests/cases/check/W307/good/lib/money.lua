local M = {}
function M.small(res) return res.amount ~= nil and res.amount < 5 end
return M
