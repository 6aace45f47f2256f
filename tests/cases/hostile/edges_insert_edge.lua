-- allow
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t = {}
    t[math.maxinteger] = 1
    table.insert(t, 5)
    table.remove(t)
    for i, v in ipairs(t) do end
    return #t == 0
  end }
