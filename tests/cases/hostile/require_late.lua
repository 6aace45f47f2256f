-- refused E206
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local m = require 'lib.nothing'
    return true
  end }
