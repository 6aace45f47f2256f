-- allow
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local n = 0
    for i = 1, 10 do
      if i % 2 == 0 then goto continue end
      n = n + i
      ::continue::
    end
    return n == 25
  end }
