local M = {}
M.checks = { function(sub) return sub.tennant ~= nil end } -- reached through a list: known by its name
return M
