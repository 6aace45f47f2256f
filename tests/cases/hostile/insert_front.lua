-- fault budget
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t = {}
    for i = 1, 100000 do table.insert(t, 1, i) end
    return true
  end }
