allow "b" {
  action = "read", resource = "invoice",
  when = function(sub, res, ctx) return sub.tennant == "acme" end,
}
