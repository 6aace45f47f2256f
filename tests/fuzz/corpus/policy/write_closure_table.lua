-- fault error
local function make()
  local t = {}
  return function(v) t[1] = v; return t[1] end
end
local keep = make()
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    keep(1)
    return true
  end }
