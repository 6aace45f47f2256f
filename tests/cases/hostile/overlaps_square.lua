-- fault budget
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local a, b = {}, {}
    for i = 1, 3000 do a[i] = i; b[i] = -i end
    for i = 1, 100 do overlaps(a, b) end
    return true
  end }
