-- fault budget
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t = {}
    for i = 1, 60000 do t[i] = { i, i, i, i, i, i, i, i } end
    return true
  end }
