-- Guard rails: no allow rule, however careless, gets past a deny that applies.

local held = data "legal_hold"              -- data/legal_hold.json: tenant -> documents that must stay

deny "tenant.isolation" {
  action   = "*",
  resource = "*",
  unless   = function(sub, res)
    return same(sub.tenant, res.tenant) or has(sub.roles, "support")
  end,
  reason   = "the resource belongs to another tenant",
}

deny "doc.legal-hold" {
  action   = { "write", "share" },
  resource = "doc",
  when     = function(_, res)
    return has(held[res.tenant], res.name)
  end,
  reason   = "this document is under legal hold",
}
