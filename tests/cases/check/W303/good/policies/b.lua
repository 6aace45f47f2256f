deny "d" {
  action = "read", resource = "invoice", reason = "x", roles = "manager",
  when = function(_, res) return res.amount == 13 end,
}
