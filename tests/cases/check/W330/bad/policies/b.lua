allow "b" {
  action = "read", resource = "invoice", reason = "test",
  when = function(_, res) return res.amount <= 5 end,
}
