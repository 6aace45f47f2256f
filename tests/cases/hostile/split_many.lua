-- fault budget
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local s = string.rep(',', 60000)
    local keep = {}
    for i = 1, 5 do keep[i] = split(s, ',') end
    return true
  end }
