-- fault memory

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local s, t, n = string.rep('k', 60000), {}, 0
    while true do n = n + 1; t[s .. n] = true end
  end }
