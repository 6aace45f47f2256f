local hours  = require "lib.hours"          -- a module of this bundle
local limits = data "limits"                -- data/limits.json, read-only

-- A rule without a function is decided in C, from its head alone. `manager` and `accountant` include
-- `viewer`, so they may read too.
allow "invoice.read" {
  action   = { "read", "list" },
  resource = "invoice",
  roles    = "viewer",
  same     = "tenant",
  reason   = "viewers read invoices of their own tenant",
}

allow "invoice.create" {
  action   = "create",
  resource = "invoice",
  roles    = "accountant",
  same     = "tenant",
  when     = function(_, res, ctx)
    local tenant = limits[res.tenant]
    return tenant ~= nil and hours.business(ctx, tenant.offset)
  end,
  reason   = "accountants create invoices in business hours",
}

allow "invoice.approve" {
  action   = "approve",
  resource = "invoice",
  roles    = "manager",
  same     = "tenant",
  when     = function(sub, res)
    local tenant = limits[res.tenant]
    return tenant ~= nil and res.amount ~= nil and res.amount <= tenant.approve_max
      and res.owner ~= nil and not same(res.owner, sub.id)
  end,
  reason   = "managers approve other people's invoices up to the tenant's limit",
}

-- Asked last, and only of somebody who may approve: sign in again, with a second factor.
challenge "invoice.approve.fresh-mfa" {
  action   = "approve",
  resource = "invoice",
  unless   = function(sub, _, ctx)
    return has(sub.amr, "mfa") and sub.auth_time ~= nil and ctx.now - sub.auth_time <= 300
  end,
  oblige   = step_up { acr_values = { "urn:acme:mfa" }, max_age = 300 },
  reason   = "approving needs a multi-factor sign-in within the last 5 minutes",
}
