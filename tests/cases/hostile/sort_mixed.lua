-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local t = { 1, 'a', {} }
    table.sort(t)
    return true
  end }
