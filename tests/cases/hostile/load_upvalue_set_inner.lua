-- refused E203
local function make() local n = 0; return function() n = n + 1; return n end end
local f = make()
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return f() > 1
  end }
