allow "b" {
  action = "read", resource = "invoice", same = "tenant", reason = "within the limit",
  when = function(_, res)
    return res.amount ~= nil and res.amount < 5 and data("limit")[res.tenant] ~= nil
  end,
}
