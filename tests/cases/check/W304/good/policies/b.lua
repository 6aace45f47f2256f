allow "w" { action = "read", resource = "invoice", reason = "x",
  when = function(_, res) return same(res.owner, "me") end }
