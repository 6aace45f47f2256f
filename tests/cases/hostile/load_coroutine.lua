-- refused E202
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return coroutine.wrap(function() end) ~= nil
  end }
