challenge "b" { action = "read", resource = "invoice", roles = "manager", reason = "sign in again",
  oblige = step_up { max_age = 300 } }
allow "d" {
  action = "read", resource = "invoice", roles = "manager", oblige = { type = "log" },
  when = function(_, res) return res.amount == 13 end,
}
