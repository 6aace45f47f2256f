-- The published rules of the three applications, evaluated directly over Cedar's entity JSON: what
-- every engine's decisions are compared with. Linear and obviously right: `x in y` walks the parents
-- of x anew each time. Nothing is shared with our policies or with the data that they read.
--
--     lua5.4 tests/peers/oracle.lua OUTDIR [--decisions FILE]
--
-- prints for each application and size how many requests are allowed, beside what the paper's own
-- harness is published to allow (re-run of 2026), and fails if that is further away than chance
-- explains. FILE gets one 0 or 1 a line, in the order that generate.lua says.

local here = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
local json = dofile(here .. "/json.lua")

local oracle = { applications = { "gdrive", "gdrive-fixed", "github", "tinytodo" } }

local function name(uid) return uid.type .. "::" .. uid.id end
local function named(reference) return name(reference.__entity) end

-- Is the entity called `x` the one called `y`, or below it?
local function is_in(entities, x, y, seen)
  if x == y then return true end
  seen = seen or {}
  seen[x] = true
  for _, parent in ipairs(entities[x] and entities[x].parents or {}) do
    local p = name(parent)
    if not seen[p] and is_in(entities, p, y, seen) then return true end
  end
  return false
end

local function one_of(list, x)
  for _, item in ipairs(list) do
    if item == x then return true end
  end
  return false
end

local rules = {}

function rules.gdrive(entities, user, action, resource)
  local principal, it = entities[user].attrs, entities[resource].attrs
  local function under_one_of(owned)
    for _, reference in ipairs(owned) do
      if is_in(entities, resource, named(reference)) then return true end
    end
    return false
  end
  local function element_of(owned)
    for _, reference in ipairs(owned) do
      if named(reference) == resource then return true end
    end
    return false
  end

  if action == "read" and is_in(entities, resource, named(principal.documentsAndFoldersWithViewAccess)) then
    return true
  end
  if action == "read" and it.isPublic then return true end
  if one_of({ "read", "write", "share" }, action)
    and (under_one_of(principal.ownedDocuments) or under_one_of(principal.ownedFolders)) then
    return true
  end
  if action == "changeOwner" and element_of(principal.ownedDocuments) then return true end
  return action == "createDocument" and element_of(principal.ownedFolders)
end
rules["gdrive-fixed"] = rules.gdrive

function rules.github(entities, user, action, resource)
  local it = entities[resource].attrs
  local owner = entities[named(it.owner)].attrs
  local grants = {
    { it.readers, { "read" } },
    { it.triagers, { "read", "triage" } },
    { it.writers, { "read", "triage", "write" } },
    { it.maintainers, { "read", "triage", "write", "maintain" } },
    { it.admins, { "read", "triage", "write", "maintain", "admin" } },
    { owner.readers, { "read" } },
    { owner.writers, { "read", "triage", "write" } },
    { owner.admins, { "read", "triage", "write", "maintain", "admin" } },
  }
  for _, grant in ipairs(grants) do
    if one_of(grant[2], action) and is_in(entities, user, named(grant[1])) then return true end
  end
  return false
end

function rules.tinytodo(entities, user, action, resource)
  local it = entities[resource].attrs
  if one_of({ "CreateList", "GetLists" }, action) and resource == "Application::TinyTodo" then
    return true
  end
  if it.owner and named(it.owner) == user then return true end
  if action == "GetList" and (is_in(entities, user, named(it.readers))
    or is_in(entities, user, named(it.editors))) then
    return true
  end
  return one_of({ "UpdateList", "CreateTask", "UpdateTask", "DeleteTask" }, action)
    and is_in(entities, user, named(it.editors))
end

function oracle.read_entities(path)
  local entities = {}
  for _, e in ipairs(json.read_file(path)) do entities[name(e.uid)] = e end
  return entities
end

-- A list of true and false, one for each line of the requests; nil if there is no such graph.
function oracle.decide(out, app, n, k)
  local base = ("%s/%s/%s/%d"):format(out, app, n, k)
  local requests = io.open(base .. ".requests")
  if not requests then return nil end
  local entities, decisions = oracle.read_entities(base .. ".entities.json"), {}
  for line in requests:lines() do
    local user, action, resource = line:match("^(%S+)\t(%S+)\t(%S+)$")
    decisions[#decisions + 1] = rules[app](entities, user, action, resource)
  end
  requests:close()
  return decisions
end

-- ---- the command ----

local published = { gdrive = { ["5"] = 15.2, ["50"] = 29.2 }, github = { ["5"] = 6.6, ["50"] = 29.7 },
  tinytodo = { ["5"] = 40.4, ["50"] = 33.5 } }

local function sizes_of(out)
  local sizes = {}
  local listing = assert(io.popen("ls '" .. out:gsub("'", "'\\''") .. "/gdrive'"))
  for size in listing:lines() do sizes[#sizes + 1] = size end
  listing:close()
  table.sort(sizes, function(a, b) return tonumber(a) < tonumber(b) end)
  return sizes
end

-- Mean and standard error of the graphs' allow rates in percent: requests of one graph are alike, so
-- it is the graphs that count as samples.
local function spread(rates)
  local sum, squares = 0, 0
  for _, r in ipairs(rates) do sum = sum + r end
  local mean = sum / #rates
  for _, r in ipairs(rates) do squares = squares + (r - mean) ^ 2 end
  return mean, #rates > 1 and math.sqrt(squares / (#rates - 1) / #rates) or math.huge
end

local function report(out, file)
  local fine = true
  for _, app in ipairs(oracle.applications) do
    for _, n in ipairs(sizes_of(out)) do
      local rates, total, k = {}, 0, 1
      local decisions = oracle.decide(out, app, n, k)
      while decisions do
        local allowed = 0
        for _, yes in ipairs(decisions) do
          allowed = allowed + (yes and 1 or 0)
          if file then file:write(yes and "1\n" or "0\n") end
        end
        rates[k], total, k = 100 * allowed / #decisions, total + #decisions, k + 1
        decisions = oracle.decide(out, app, n, k)
      end
      local mean, err = spread(rates)
      local expected = published[app] and published[app][n]
      local far = expected and math.abs(mean - expected) > 4 * err
      fine = fine and not far
      print(("%-13s n=%-4s %7d requests  %5.1f %% allowed, standard error %.1f%s%s"):format(app, n, total,
        mean, err, expected and (", published %.1f"):format(expected) or "", far and ": TOO FAR" or ""))
    end
  end
  return fine
end

if arg and arg[0] and arg[0]:match("oracle%.lua$") then
  if not arg[1] or (arg[2] and (arg[2] ~= "--decisions" or not arg[3])) then
    io.stderr:write("usage: lua5.4 tests/peers/oracle.lua OUTDIR [--decisions FILE]\n")
    os.exit(2)
  end
  local file = arg[3] and assert(io.open(arg[3], "w"))
  local fine = report(arg[1], file)
  if file then assert(file:close()) end
  os.exit(fine and 0 or 1)
end
return oracle
