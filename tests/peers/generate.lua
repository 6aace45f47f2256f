-- The workloads of the peer comparison: the three applications of the Cedar paper (OOPSLA 2024,
-- doi 10.1145/3649835) and a policy that grows from 10 to 10,000 rules.
--
--     lua5.4 tests/peers/generate.lua OUTDIR [--graphs 20] [--requests 500] [--sizes 5,50] [--seed 42]
--
-- The paper's generators draw without a seed, so no two runs of them are alike. Here everything
-- follows from --seed, on every machine: the random numbers are our own (splitmix64), and each graph
-- has a stream of its own, so that graph 3 is the same whether 5 or 200 graphs are asked for.
--
-- What is written, for APP in gdrive, gdrive-fixed, github and tinytodo; N in the sizes; K from 1 to
-- the number of graphs:
--
--   OUTDIR/APP/N/K.entities.json   Cedar's entity format, a list of
--        {"uid":{"type":T,"id":I},"attrs":{...},"parents":[{"type":T,"id":I},...]}
--        An attribute that names an entity is {"__entity":{"type":T,"id":I}}. Parents are direct ones.
--   OUTDIR/APP/N/K.requests        one request a line: UserType::id TAB action TAB ResourceType::id
--   OUTDIR/APP/N/K.policy.json     the same graph as our own policies read it: tests/peers/data.lua
--   OUTDIR/rules/COUNT/rules.jsonl     COUNT in 10, 100, 1000, 10000; {"role":R,"action":A,"type":T} a line
--   OUTDIR/rules/COUNT/requests.jsonl  one request a line:
--        {"sub":{"tenant":T,"roles":[R,...]},"action":A,"resource":{"type":T,"id":I,"tenant":T},"allow":B}
--
-- No id holds a blank, a colon, a slash or a quote. A file of decisions (what tests/peers/oracle.lua,
-- our benchmark and the peers' drivers write to be compared) has one 0 or 1 a line, in the order
-- APP (gdrive, gdrive-fixed, github, tinytodo), N (ascending), K, request.
--
-- Distribution, as published: every kind of entity has N members; each possible edge is there with
-- p = 0.05; a folder or team lies only in ones of smaller index; the action is uniform over the schema's
-- actions, the principal over the users, the resource over the entities of the action's type.
--
--   gdrive    User{documentsAndFoldersWithViewAccess: View, ownedDocuments, ownedFolders} in Groups;
--             Document{isPublic: half} in Folders and Views; Folder in Folders and Views; a View for
--             each user and group; the group's View lies in its members' Views.
--             read, write, share, changeOwner -> Document; createDocument -> Folder
--             As published, documents and folders name views that do not exist ("User 3" where the
--             view is "User user_3"), so that the rule about views never applies. The variant
--             gdrive-fixed is the same graph with the names mended. (Blanks in view names are "_" here.)
--   github    Organization{readers, writers, admins: OrgPermission} in OrgPermissions; Repository{readers,
--             triagers, writers, maintainers, admins: RepoPermission, owner: Organization}; Team in Teams
--             and RepoPermissions; User in RepoPermissions, Teams, Organizations and OrgPermissions.
--             read, triage, write, maintain, admin -> Repository
--   tinytodo  List{owner: User, readers, editors: Team, name, tasks}; User and Team in Teams and in the
--             Application. CreateList, GetLists -> Application; GetList, UpdateList, DeleteList,
--             CreateTask, UpdateTask, DeleteTask, EditShares -> List
--   rules     rule i (from 0) lets role_(i/10) do one of 5 actions on one of 2 types if the tenants are
--             equal. 1,024 requests: the rule uniform; half for a resource of the own tenant (allow),
--             half for another tenant's (deny). The token's roles are the rule's and two that no rule
--             names, in random order: the same work for every number of rules.

local here = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
local json = dofile(here .. "/json.lua")
local data = dofile(here .. "/data.lua")

local RULE_COUNTS = { 10, 100, 1000, 10000 }
local RULE_REQUESTS = 1024
local EDGE = 0.05

-- ---- random numbers: splitmix64, seeded by FNV-1a over a name ----

local function stream(name)
  local state = 0xcbf29ce484222325
  for i = 1, #name do state = (state ~ name:byte(i)) * 0x100000001b3 end
  local r = {}

  function r.unit() -- 0 <= x < 1
    state = state + 0x9e3779b97f4a7c15
    local z = state
    z = (z ~ (z >> 30)) * 0xbf58476d1ce4e5b9
    z = (z ~ (z >> 27)) * 0x94d049bb133111eb
    return ((z ~ (z >> 31)) >> 11) * 0x1p-53
  end
  function r.index(n) return math.floor(r.unit() * n) end -- 0 .. n-1
  function r.edge() return r.unit() < EDGE end
  function r.pick(list) return list[r.index(#list) + 1] end
  return r
end

-- ---- JSON, with the members of an object in a fixed order ----

local function text(s) return '"' .. s .. '"' end -- our names need no escapes
local function uid(type, id) return { type = type, id = id } end
local function put_uid(u) return '{"type":' .. text(u.type) .. ',"id":' .. text(u.id) .. "}" end
local function put_ref(u) return '{"__entity":' .. put_uid(u) .. "}" end

local function put_list(list, put)
  local out = {}
  for i, item in ipairs(list) do out[i] = put(item) end
  return "[" .. table.concat(out, ",") .. "]"
end

-- attrs: a list of { name, JSON text }
local function put_object(attrs)
  return "{" .. table.concat(attrs, ",") .. "}"
end
local function member(name, value) return text(name) .. ":" .. value end

local function put_entity(e)
  return '{"uid":' .. put_uid(e.uid) .. ',"attrs":' .. put_object(e.attrs) .. ',"parents":'
    .. put_list(e.parents, put_uid) .. "}"
end

-- ---- the graphs ----

local function entity(type, id, attrs, parents)
  return { uid = uid(type, id), attrs = attrs or {}, parents = parents or {} }
end

-- Appends `prefix``j` of `type` for each j in 0..count-1 that an edge leads to.
local function edges(r, parents, count, type, prefix)
  for j = 0, count - 1 do
    if r.edge() then parents[#parents + 1] = uid(type, prefix .. j) end
  end
  return parents
end

-- `view`: the word between "User_" and the number in the view names that documents and folders use.
local function gdrive(r, n, fixed)
  local user_view = fixed and "User_user_" or "User_"
  local group_view = fixed and "Group_group_" or "Group_"
  local all, members = {}, {}
  local function add(...) all[#all + 1] = entity(...) end
  for j = 0, n - 1 do members[j] = {} end

  for i = 0, n - 1 do
    local groups = {}
    for j = 0, n - 1 do
      if r.edge() then
        groups[#groups + 1] = uid("Group", "group_" .. j)
        table.insert(members[j], uid("View", "User_user_" .. i))
      end
    end
    local documents = edges(r, {}, n, "Document", "doc_")
    local folders = edges(r, {}, n, "Folder", "folder_")
    add("User", "user_" .. i, {
      member("documentsAndFoldersWithViewAccess", put_ref(uid("View", "User_user_" .. i))),
      member("ownedDocuments", put_list(documents, put_ref)),
      member("ownedFolders", put_list(folders, put_ref)),
    }, groups)
    add("View", "User_user_" .. i)
  end
  for j = 0, n - 1 do
    add("Group", "group_" .. j)
    add("View", "Group_group_" .. j, nil, members[j])
  end
  local function views(parents)
    edges(r, parents, n, "View", user_view)
    return edges(r, parents, n, "View", group_view)
  end
  for i = 0, n - 1 do
    local parents = views(edges(r, {}, n, "Folder", "folder_"))
    add("Document", "doc_" .. i, { member("isPublic", tostring(r.unit() < 0.5)) }, parents)
  end
  for i = 0, n - 1 do
    add("Folder", "folder_" .. i, nil, views(edges(r, {}, i, "Folder", "folder_")))
  end
  return all
end

local function github(r, n)
  local repo_roles = { "readers", "triagers", "writers", "maintainers", "admins" }
  local org_roles = { "readers", "writers", "admins" }
  local all = {}
  local function add(...) all[#all + 1] = entity(...) end

  -- The permission entities of `name`, and the attributes that point at them.
  local function permissions(type, name, roles)
    local attrs, own = {}, {}
    for k, role in ipairs(roles) do
      own[k] = { type, name .. "_" .. role }
      attrs[k] = member(role, put_ref(uid(type, own[k][2])))
    end
    return attrs, own
  end
  -- An edge to a random permission of each of the `n` named things.
  local function grants(parents, type, prefix, roles)
    for j = 0, n - 1 do
      if r.edge() then parents[#parents + 1] = uid(type, prefix .. j .. "_" .. r.pick(roles)) end
    end
    return parents
  end

  for i = 0, n - 1 do
    local name = "org_" .. i
    local attrs, own = permissions("OrgPermission", name, org_roles)
    add("Organization", name, attrs, grants({}, "OrgPermission", "org_", org_roles))
    for _, p in ipairs(own) do add(p[1], p[2]) end
  end
  for i = 0, n - 1 do
    local name = "repo_" .. i
    local attrs, own = permissions("RepoPermission", name, repo_roles)
    attrs[#attrs + 1] = member("owner", put_ref(uid("Organization", "org_" .. r.index(n))))
    add("Repository", name, attrs)
    for _, p in ipairs(own) do add(p[1], p[2]) end
  end
  for i = 0, n - 1 do
    local parents = edges(r, {}, i, "Team", "team_")
    add("Team", "team_" .. i, nil, grants(parents, "RepoPermission", "repo_", repo_roles))
  end
  for i = 0, n - 1 do
    local parents = grants({}, "RepoPermission", "repo_", repo_roles)
    edges(r, parents, n, "Team", "team_")
    edges(r, parents, n, "Organization", "org_")
    add("User", "user_" .. i, nil, grants(parents, "OrgPermission", "org_", org_roles))
  end
  return all
end

local function tinytodo(r, n)
  local application = uid("Application", "TinyTodo")
  local all = { entity("Application", "TinyTodo") }
  local function add(...) all[#all + 1] = entity(...) end
  local function teams(count)
    local parents = edges(r, {}, count, "Team", "team_")
    parents[#parents + 1] = application
    return parents
  end
  local function task()
    return ('{"name":"task_%d","id":%d,"state":"%s"}'):format(r.index(1000000) + 1,
      r.index(1000000) + 1, r.unit() < 0.5 and "Checked" or "Unchecked")
  end

  for i = 0, n - 1 do add("User", "user_" .. i, nil, teams(n)) end
  for i = 0, n - 1 do add("Team", "team_" .. i, nil, teams(i)) end
  for i = 0, n - 1 do
    local tasks = {}
    for t = 1, r.index(51) do tasks[t] = t end
    add("List", "list_" .. i, {
      member("name", text("list_" .. i)),
      member("owner", put_ref(uid("User", "user_" .. r.index(n)))),
      member("readers", put_ref(uid("Team", "team_" .. r.index(n)))),
      member("editors", put_ref(uid("Team", "team_" .. r.index(n)))),
      member("tasks", put_list(tasks, task)),
    }, { application })
  end
  return all
end

-- name, the name of its random stream (both gdrives are one graph), graph, { action, resource type }
local applications = {
  { name = "gdrive", stream = "gdrive", graph = gdrive },
  { name = "gdrive-fixed", stream = "gdrive", graph = function(r, n) return gdrive(r, n, true) end },
  { name = "github", stream = "github", graph = github },
  { name = "tinytodo", stream = "tinytodo", graph = tinytodo },
}
local gdrive_actions = { { "createDocument", "Folder", "folder_" }, { "changeOwner", "Document", "doc_" },
  { "share", "Document", "doc_" }, { "write", "Document", "doc_" }, { "read", "Document", "doc_" } }
applications[1].actions, applications[2].actions = gdrive_actions, gdrive_actions
applications[3].actions = {}
for _, a in ipairs { "read", "triage", "write", "maintain", "admin" } do
  table.insert(applications[3].actions, { a, "Repository", "repo_" })
end
applications[4].actions = { { "CreateList", "Application" }, { "GetLists", "Application" } }
for _, a in ipairs { "GetList", "UpdateList", "DeleteList", "CreateTask", "UpdateTask", "DeleteTask",
  "EditShares" } do
  table.insert(applications[4].actions, { a, "List", "list_" })
end

local function request(r, actions, n)
  local a = r.pick(actions)
  local resource = a[3] and a[3] .. r.index(n) or "TinyTodo"
  return ("User::user_%d\t%s\t%s::%s\n"):format(r.index(n), a[1], a[2], resource)
end

-- ---- rules ----

local rule_actions = { "read", "create", "update", "delete", "list" }
local rule_types = { "orders", "invoices" }
local tenants = { "acme", "globex", "initech", "umbrella" }

local function rule(i)
  return { role = "role_" .. i // 10, action = rule_actions[i % 5 + 1],
    type = rule_types[i // 5 % 2 + 1] }
end

-- Three roles in random order: the wanted one, another that rules name (each grants the same in its own
-- tenant, so it changes no decision) where there is another, and one that no rule names. Without a wanted
-- one, three that no rule names.
local function rule_roles(r, wanted, count)
  local other = "role_" .. r.index(count // 10)
  local roles = { wanted or "visitor", wanted and other ~= wanted and other or "staff",
    "member_" .. r.index(100) }
  for i = 3, 2, -1 do
    local j = r.index(i) + 1
    roles[i], roles[j] = roles[j], roles[i]
  end
  return roles
end

-- Half are allowed; of the others, half are about another tenant and half have no role that is granted
-- anything.
local function rule_request(r, count)
  local wanted = rule(r.index(count))
  local mine, kind = r.index(#tenants), r.unit()
  local own, granted = kind < 0.5 or kind >= 0.75, kind < 0.75
  local its = own and mine or (mine + 1 + r.index(#tenants - 1)) % #tenants
  return ('{"sub":{"tenant":"%s","roles":%s},"action":"%s","resource":{"type":"%s","id":"%d",'
    .. '"tenant":"%s"},"allow":%s}\n'):format(tenants[mine + 1],
    put_list(rule_roles(r, granted and wanted.role or nil, count), text), wanted.action, wanted.type,
    r.index(100000), tenants[its + 1], own and granted)
end

-- ---- files ----

local function make_folder(path)
  assert(os.execute("mkdir -p '" .. path:gsub("'", "'\\''") .. "'"), "cannot make the folder " .. path)
end

local function write(path, parts)
  local f = assert(io.open(path, "w"))
  assert(f:write(table.concat(parts)))
  assert(f:close())
end

local function write_graph(options, app, n, k)
  local base = ("%s/%s/%d/%d"):format(options.out, app.name, n, k)
  local r = stream(("%d %s %d %d"):format(options.seed, app.stream, n, k))
  local rows = {}
  for i, e in ipairs(app.graph(r, n)) do rows[i] = put_entity(e) end
  local entities = "[\n" .. table.concat(rows, ",\n") .. "\n]\n"
  write(base .. ".entities.json", { entities })
  write(base .. ".policy.json", { json.write(data.of(app.name, json.read(entities))), "\n" })
  local requests = {}
  for i = 1, options.requests do requests[i] = request(r, app.actions, n) end
  write(base .. ".requests", requests)
end

local function write_rules(options, count)
  local base = ("%s/rules/%d"):format(options.out, count)
  make_folder(base)
  local rules, requests = {}, {}
  for i = 0, count - 1 do
    local it = rule(i)
    rules[i + 1] = ('{"role":"%s","action":"%s","type":"%s"}\n'):format(it.role, it.action, it.type)
  end
  local r = stream(("%d rules %d"):format(options.seed, count))
  for i = 1, RULE_REQUESTS do requests[i] = rule_request(r, count) end
  write(base .. "/rules.jsonl", rules)
  write(base .. "/requests.jsonl", requests)
end

-- ---- the command line ----

local function usage(why)
  io.stderr:write("generate.lua: ", why, "\nusage: lua5.4 tests/peers/generate.lua OUTDIR [--graphs 20] ",
    "[--requests 500] [--sizes 5,50] [--seed 42]\n")
  os.exit(2)
end

local function whole(name, value, low, high)
  local n = value and value:match("^%d+$") and math.tointeger(tonumber(value))
  if not n or n < low or n > high then
    usage(("%s wants a whole number from %d to %d"):format(name, low, high))
  end
  return n
end

local function read_options()
  local options = { graphs = 20, requests = 500, sizes = { 5, 50 }, seed = 42 }
  local i = 1
  while i <= #arg do
    local word, value = arg[i], arg[i + 1]
    if word == "--graphs" then options.graphs = whole(word, value, 1, 10000)
    elseif word == "--requests" then options.requests = whole(word, value, 1, 1000000)
    elseif word == "--seed" then options.seed = whole(word, value, 0, 1 << 53)
    elseif word == "--sizes" then
      options.sizes = {}
      for size in (value or ""):gmatch("[^,]+") do
        table.insert(options.sizes, whole(word, size, 1, 1000))
      end
      if #options.sizes == 0 then usage("--sizes wants numbers with commas between them") end
    elseif word:sub(1, 1) == "-" or options.out then usage("cannot use `" .. word .. "`")
    else options.out, i = word, i - 1 end
    i = i + 2
  end
  return options.out and options or usage("no OUTDIR given")
end

local options = read_options()
for _, app in ipairs(applications) do
  for _, n in ipairs(options.sizes) do
    make_folder(("%s/%s/%d"):format(options.out, app.name, n))
    for k = 1, options.graphs do write_graph(options, app, n, k) end
  end
end
for _, count in ipairs(RULE_COUNTS) do write_rules(options, count) end
