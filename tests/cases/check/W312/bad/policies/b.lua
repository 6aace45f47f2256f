challenge "b" { action = "read", resource = "invoice", roles = "manager", reason = "sign in again" }
deny "c" {
  action = "read", resource = "invoice", roles = "manager", reason = "x", oblige = { type = "log" },
  when = function(_, res) return res.amount == 13 end,
}
allow "d" {
  action = "read", resource = "invoice", roles = "manager", oblige = step_up { max_age = 300 },
  when = function(_, res) return res.amount == 13 end,
}
