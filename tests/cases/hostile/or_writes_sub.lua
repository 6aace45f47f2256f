-- fault error

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local x = sub or nil
    if x.marked then return true end
    x.marked = true
    return false
  end }
