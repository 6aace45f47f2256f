-- From Cedar's entity files to what our policies read: the sets of ancestors as the bundle's `data`, and
-- what a service knows of its own resource (a row of its database) as attributes of the request.
--
-- The sets are closed over the parents here, before any clock runs: Cedar does the same when it loads
-- entities. Nothing else is worked out in advance: whether an owned folder is among a document's
-- ancestors, or a role on a repository suffices for an action, is decided per request.
--
--     { "data": { NAME: value of data/NAME.json }, "attrs": { resource id: { attribute: value } } }
--
--   gdrive    owned    user -> ids of the documents and folders that the user owns
--             view     user -> the user's own view
--             folders  document or folder -> itself and the folders above it
--             viewers  document -> the set of the views above it
--             attrs    Document: public
--   github    access   user -> repository or organisation -> the set of roles held there, directly or through
--                      teams and organisations
--             attrs    Repository: owner
--   tinytodo  teams    user -> the set of the teams above the user
--             attrs    List: owner, readers, editors

local M = {}

local function name(uid) return uid.type .. "::" .. uid.id end

local function ids_of(references, out)
  for _, r in ipairs(references) do out[#out + 1] = r.__entity.id end
  return out
end

local function list() return setmetatable({}, { __index = { list = true } }) end

-- All uids above an entity (also those without an entity of their own), each once, nearest first.
local function ancestors(by_name, entity)
  local out, seen, queue = {}, {}, { entity }
  for _, e in ipairs(queue) do
    for _, parent in ipairs(e.parents) do
      local p = name(parent)
      if not seen[p] then
        seen[p], out[#out + 1] = true, parent
        queue[#queue + 1] = by_name[p]
      end
    end
  end
  return out
end

local function of_type(uids, type, out)
  for _, u in ipairs(uids) do
    if u.type == type then out[#out + 1] = u.id end
  end
  return out
end

local function as_set(ids)
  local out = {}
  for _, id in ipairs(ids) do out[id] = true end
  return out
end

local applications = {}

function applications.gdrive(entities, above)
  local data, attrs = { owned = {}, view = {}, folders = {}, viewers = {} }, {}
  for _, e in ipairs(entities) do
    local id, type = e.uid.id, e.uid.type
    if type == "User" then
      data.owned[id] = ids_of(e.attrs.ownedFolders, ids_of(e.attrs.ownedDocuments, list()))
      data.view[id] = e.attrs.documentsAndFoldersWithViewAccess.__entity.id
    elseif type == "Document" or type == "Folder" then
      local self = list()
      self[1] = id
      data.folders[id] = of_type(above(e), "Folder", self)
    end
    if type == "Document" then
      data.viewers[id] = as_set(of_type(above(e), "View", {}))
      attrs[id] = { public = e.attrs.isPublic }
    end
  end
  return data, attrs
end
applications["gdrive-fixed"] = applications.gdrive

function applications.github(entities, above)
  local access, attrs = {}, {}
  for _, e in ipairs(entities) do
    if e.uid.type == "User" then
      local held = {}
      for _, u in ipairs(above(e)) do
        local thing, role = u.id:match("^(.*)_(%a+)$")
        if u.type == "RepoPermission" or u.type == "OrgPermission" then
          held[thing] = held[thing] or {}
          held[thing][role] = true
        end
      end
      access[e.uid.id] = held
    elseif e.uid.type == "Repository" then
      attrs[e.uid.id] = { owner = e.attrs.owner.__entity.id }
    end
  end
  return { access = access }, attrs
end

function applications.tinytodo(entities, above)
  local teams, attrs = {}, {}
  for _, e in ipairs(entities) do
    if e.uid.type == "User" then
      teams[e.uid.id] = as_set(of_type(above(e), "Team", {}))
    elseif e.uid.type == "List" then
      attrs[e.uid.id] = { owner = e.attrs.owner.__entity.id, readers = e.attrs.readers.__entity.id,
        editors = e.attrs.editors.__entity.id }
    end
  end
  return { teams = teams }, attrs
end

-- `entities`: Cedar's list, as tables.
function M.of(app, entities)
  local by_name = {}
  for _, e in ipairs(entities) do by_name[name(e.uid)] = e end
  local data, attrs = applications[app](entities, function(e) return ancestors(by_name, e) end)
  return { data = data, attrs = attrs }
end

return M
