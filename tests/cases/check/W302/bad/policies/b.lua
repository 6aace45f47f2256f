deny "d" {
  action = "read", resource = "invoice",
  when = function(_, res) return res.amount == 13 end,
}
