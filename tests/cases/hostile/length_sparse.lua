-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t, n = {}, 0
    for i = 0, 62 do t[1 << i] = true end
    while true do n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t n = #t  end
  end }
