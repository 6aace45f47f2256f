allow "b" {
  action = "read", resource = "invoice",
  when = function(_, res) return res.amount <= 5 end,
}
