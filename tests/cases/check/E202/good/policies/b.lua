allow "b" {
  action = "read", resource = "invoice", when = function(_, _, ctx) return ctx.now > 0 end,
}
