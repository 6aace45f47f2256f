-- Between services: each one gets the single action that it needs, and no more.

allow "ledger.append" {
  action   = "append",
  resource = "ledger",
  clients  = "billing-api",
  scopes   = "ledger:append",
  same     = "tenant",
  unless   = function(sub)
    return sub.actor ~= nil
  end,
  reason   = "only billing-api appends, and only for itself",
}

allow "ledger.read.support" {
  action   = "read",
  resource = "ledger",
  clients  = "support-bot",
  scopes   = "ledger:read",
  when     = function(sub)
    return same(sub.actor, "support-bot") and has(sub.roles, "support")
  end,
  reason   = "support-bot reads for a support user",
}
