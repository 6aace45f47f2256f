-- refused E211
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return true
  end }
local function f() error('late') end
f()
