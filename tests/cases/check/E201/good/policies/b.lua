local limit = 5
allow "b" {
  action = "read", resource = "invoice", when = function(_, res) return res.amount == limit end,
}
