-- refused E211
local it = sorted({ a = { n = 0 }, b = { n = 0 }, c = {n=0}, d={n=0}, e={n=0} })
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local k, v = it()
    v.n = v.n + 1
    return v.n > 1
  end }
