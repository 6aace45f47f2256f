allow "w" { action = "*", resource = "*", reason = "x",
  when = function(_, res) return same(res.owner, "me") end }
