local access = data "access"       -- user -> repository or organisation -> the roles held there

-- For each action, the roles that suffice on the repository, and on the organisation that owns it.
local suffices = {
  { "read",     { "readers", "triagers", "writers", "maintainers", "admins" }, { "readers", "writers", "admins" } },
  { "triage",   { "triagers", "writers", "maintainers", "admins" },            { "writers", "admins" } },
  { "write",    { "writers", "maintainers", "admins" },                        { "writers", "admins" } },
  { "maintain", { "maintainers", "admins" },                                   { "admins" } },
  { "admin",    { "admins" },                                                  { "admins" } },
}

for _, row in ipairs(suffices) do
  local action, on_repository, on_owner = row[1], row[2], row[3]

  allow("repository." .. action) {
    action   = action,
    resource = "repository",
    when     = function(sub, res)
      local held = access[sub.id]
      return held ~= nil
        and (overlaps(held[res.id], on_repository) or overlaps(held[res.owner], on_owner))
    end,
    reason   = "a role on the repository or on its owner suffices",
  }
end
