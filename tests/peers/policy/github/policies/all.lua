local tables = require "lib.tables"
local access = tables.of(data "access")    -- user -> repository or organisation -> set of roles

-- A rule for each action: the roles that suffice on the repository, and on the organisation that owns it.

allow "repository.read" {
  action   = "read",
  resource = "repository",
  when     = function(sub, res)
    local held = access[sub.id]
    if held == nil then return false end
    local here, above = held[res.id], held[res.owner]
    return (here ~= nil and (here.readers or here.triagers or here.writers or here.maintainers or here.admins)
      or above ~= nil and (above.readers or above.writers or above.admins)) == true
  end,
  reason   = "a role on the repository or on its owner suffices",
}

allow "repository.triage" {
  action   = "triage",
  resource = "repository",
  when     = function(sub, res)
    local held = access[sub.id]
    if held == nil then return false end
    local here, above = held[res.id], held[res.owner]
    return (here ~= nil and (here.triagers or here.writers or here.maintainers or here.admins)
      or above ~= nil and (above.writers or above.admins)) == true
  end,
  reason   = "a role on the repository or on its owner suffices",
}

allow "repository.write" {
  action   = "write",
  resource = "repository",
  when     = function(sub, res)
    local held = access[sub.id]
    if held == nil then return false end
    local here, above = held[res.id], held[res.owner]
    return (here ~= nil and (here.writers or here.maintainers or here.admins)
      or above ~= nil and (above.writers or above.admins)) == true
  end,
  reason   = "a role on the repository or on its owner suffices",
}

allow "repository.maintain" {
  action   = "maintain",
  resource = "repository",
  when     = function(sub, res)
    local held = access[sub.id]
    if held == nil then return false end
    local here, above = held[res.id], held[res.owner]
    return (here ~= nil and (here.maintainers or here.admins)
      or above ~= nil and (above.admins)) == true
  end,
  reason   = "a role on the repository or on its owner suffices",
}

allow "repository.admin" {
  action   = "admin",
  resource = "repository",
  when     = function(sub, res)
    local held = access[sub.id]
    if held == nil then return false end
    local here, above = held[res.id], held[res.owner]
    return (here ~= nil and (here.admins)
      or above ~= nil and (above.admins)) == true
  end,
  reason   = "a role on the repository or on its owner suffices",
}
