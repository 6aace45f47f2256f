local sharing = require "lib.sharing"

allow "doc.owner" {
  action   = "*",
  resource = "doc",
  when     = function(sub, res)
    return same(res.owner, sub.id)
  end,
  reason   = "owners have full control",
}

allow "doc.shared" {
  action   = { "read", "comment" },
  resource = "doc",
  when     = function(sub, res)
    return sharing.reaches(res.shared_with, sub)
  end,
  reason   = "shared with you or with your group",
}

allow "doc.handbook" {
  action   = "read",
  resource = "doc:*/handbook",
  same     = "tenant",
  reason   = "everybody reads the handbook of their own tenant",
}
