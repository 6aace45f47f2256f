deny "d" {
  action = "read", resource = "invoice", reason = "x",
  when = function(_, res) return res.amount == 13 end,
}
