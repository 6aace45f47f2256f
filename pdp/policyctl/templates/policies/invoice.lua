-- What no rule allows is denied. This one says: who is a viewer, or has a role that includes `viewer`,
-- may read the invoices of their own tenant.
allow "invoice.read" {
  action   = { "read", "list" },
  resource = "invoice",
  roles    = "viewer",
  same     = "tenant",
  reason   = "viewers read invoices of their own tenant",
}
