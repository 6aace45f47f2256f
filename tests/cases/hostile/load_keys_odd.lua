-- refused E211

local t = {}
for i = 1, 257 do t[i * 1023 * 511] = true end
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return t[0] == nil
  end }
