-- Business hours. A fixed offset, not a zone name: the same request must decide alike on every
-- machine and in every year, whatever time zone tables are installed there.
local M = {}

function M.business(ctx, offset)
  local t = clock(ctx.now, offset)
  return t.wday <= 5 and between(t.hhmm, "08:00", "18:00")
end

return M
