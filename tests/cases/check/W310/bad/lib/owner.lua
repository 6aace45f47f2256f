local M = {}
function M.other(sub, res)
  local tenant = sub.tenant
  local owner = res.owner
  return tenant ~= owner
end
return M
