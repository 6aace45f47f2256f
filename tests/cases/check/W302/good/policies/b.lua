deny "d" {
  action = "read", resource = "invoice", reason = "thirteen",
  when = function(_, res) return res.amount == 13 end,
}
