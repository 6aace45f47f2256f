-- The same conditions as tests/peers/policy, as the barest Lua that anybody who embeds it could write:
-- every table of a caller and a resource is prepared, so that a decision is one call that reads plain
-- tables. No engine, no sandbox, no budget: the denominator of our figures.
--
--     subjects, resources, conditions = bare.of(app, path of K.policy.json)
--
-- subjects by id, resources by id, conditions by action: each a function of subject and resource.

local json = dofile((debug.getinfo(1, "S").source:match("^@(.*)/") or ".") .. "/json.lua")

local bare, applications = {}, {}

local function as_set(list)
  local out = {}
  for _, item in ipairs(list or {}) do out[item] = true end
  return out
end

function applications.gdrive(data)
  local subjects, resources = {}, {}
  for user, owned in pairs(data.owned) do
    subjects[user] = { view = data.view[user], owned = owned, owns = as_set(owned) }
  end
  for id, above in pairs(data.folders) do
    resources[id] = { above = as_set(above), viewers = data.viewers[id] }
  end
  local function mine(sub, res)
    local owned, above = sub.owned, res.above
    for i = 1, #owned do
      if above[owned[i]] then return true end
    end
    return false
  end
  local function itself(sub, res) return sub.owns[res.id] == true end
  return subjects, resources, {
    read = function(sub, res) return res.public or res.viewers[sub.view] == true or mine(sub, res) end,
    write = mine, share = mine, changeOwner = itself, createDocument = itself,
  }
end
applications["gdrive-fixed"] = applications.gdrive

function applications.github(data, attrs)
  local subjects, resources = {}, {}
  for user, held in pairs(data.access) do subjects[user] = { held = held } end
  for id in pairs(attrs) do resources[id] = {} end
  local none = {}
  local function roles(sub, res) return sub.held[res.id] or none, sub.held[res.owner] or none end
  return subjects, resources, {
    read = function(sub, res)
      local r, o = roles(sub, res)
      return (r.readers or r.triagers or r.writers or r.maintainers or r.admins or o.readers or o.writers
        or o.admins) == true
    end,
    triage = function(sub, res)
      local r, o = roles(sub, res)
      return (r.triagers or r.writers or r.maintainers or r.admins or o.writers or o.admins) == true
    end,
    write = function(sub, res)
      local r, o = roles(sub, res)
      return (r.writers or r.maintainers or r.admins or o.writers or o.admins) == true
    end,
    maintain = function(sub, res)
      local r, o = roles(sub, res)
      return (r.maintainers or r.admins or o.admins) == true
    end,
    admin = function(sub, res)
      local r, o = roles(sub, res)
      return (r.admins or o.admins) == true
    end,
  }
end

function applications.tinytodo(data, attrs)
  local subjects, resources = {}, { TinyTodo = {} }
  for user, teams in pairs(data.teams) do subjects[user] = { teams = teams } end
  for id in pairs(attrs) do resources[id] = {} end
  local function everybody() return true end
  local function owner(sub, res) return res.owner == sub.id end
  local function edit(sub, res) return res.owner == sub.id or sub.teams[res.editors] == true end
  return subjects, resources, {
    CreateList = everybody, GetLists = everybody, DeleteList = owner, EditShares = owner,
    UpdateList = edit, CreateTask = edit, UpdateTask = edit, DeleteTask = edit,
    GetList = function(sub, res)
      return res.owner == sub.id or sub.teams[res.readers] == true or sub.teams[res.editors] == true
    end,
  }
end

function bare.of(app, path)
  local policy = json.read_file(path)
  local subjects, resources, conditions = applications[app](policy.data, policy.attrs)
  for id, s in pairs(subjects) do s.id = id end
  for id, r in pairs(resources) do
    r.id = id
    for name, value in pairs(policy.attrs[id] or {}) do r[name] = value end
  end
  return subjects, resources, conditions
end

return bare
