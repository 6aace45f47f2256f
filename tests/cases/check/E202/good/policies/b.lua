allow "b" {
  action = "read", resource = "invoice", reason = "test", when = function(_, _, ctx) return ctx.now > 0 end,
}
