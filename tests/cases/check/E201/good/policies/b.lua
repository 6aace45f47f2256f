local limit = 5
allow "b" {
  action = "read", resource = "invoice", reason = "test", when = function(_, res) return res.amount == limit end,
}
