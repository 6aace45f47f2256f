-- fault memory
allow "h" { action = "do", resource = "thing",
  when = function()
    local s = string.rep("x", 60000)
    for i = 1, 1000000 do local t = s .. i end
    return true
  end }
