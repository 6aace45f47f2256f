-- allow
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return not same(9007199254740993, 9007199254740992.0) and same(9007199254740992, 9007199254740992.0)
  end }
