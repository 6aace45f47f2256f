-- fault error

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local x = nil
    x = sub and sub or x
    if x.marked then return true end
    x.marked = true
    return false
  end }
