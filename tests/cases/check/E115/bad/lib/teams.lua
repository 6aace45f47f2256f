local M = {}
M.leads = { "manager" }
function M.owns(sub, res) return same(res.owner, sub.id) end
return M
