-- Random policies and requests, written as an author and a service would write them. Names come
-- from small sets, so that rules and requests meet; everything follows from the seed.

local G = {}
local random = math.random

local types = { "doc", "invoice", "a.b-c_1", "ledger" }
local actions = { "read", "write", "approve", "del" }
local roles = { "r1", "r2", "r3", "r4", "r5" }
local methods = { "pwd", "pin", "kba", "hwk", "swk", "otp", "sms", "sc", "tel", "face", "fpt", "iris", "retina",
                  "vbm", "mca", "geo", "MFA" }
local people = { "ann", "bob", "eve" }
local tenants = { "acme", "globex", "x/y", "a:b", "*", "50%", "caf\u{e9}" }
local numbers = { "1", "2", "4711" }
local scopes = { "s:read", "s:write", "s:all" }
local clients = { "web", "bot" }
local issuers = { "https://idp.acme", "https://idp.other" }
local duties = { "log", "mask", "step-up" }
local limits = '{"acme":{"max":50,"zone":"+01:00"},"globex":{"max":5,"zone":"-05:30"}}'
local staff = '{"vips":["ann","bob"],"none":[],"rank":{"ann":3,"bob":1.5},"gone":null}'

local sames = { "\"tenant\"", "{ \"tenant\" }", "{ \"tenant\", \"name\" }", "\"level\"", "\"id\"" }

local function pick(list) return list[random(#list)] end
local function chance(n) return random(n) == 1 end

local function some(list, most)
  local out, seen = {}, {}
  for _ = 1, random(most or #list) do
    local v = pick(list)
    if not seen[v] then out[#out + 1], seen[v] = v, true end
  end
  return out
end

local function quote(s)
  return '"' .. s:gsub('[\\"]', "\\%0") .. '"'
end

local function lua_list(list)
  if #list == 1 and chance(2) then return quote(list[1]) end
  local out = {}
  for i, v in ipairs(list) do out[i] = quote(v) end
  return "{ " .. table.concat(out, ", ") .. " }"
end

local function encode(s, everything)
  local codes = { ["/"] = "%2F", ["%"] = "%25", ["*"] = "%2A", [":"] = "%3A" }
  return (s:gsub(everything and "[/%%*:]" or "[/%%]", codes))
end

-- ---- JSON ----

local function json(v)
  if type(v) == "string" then return quote(v) end
  if math.type(v) == "float" then
    return v == math.floor(v) and ("%.1f"):format(v) or ("%.17g"):format(v)
  end
  if type(v) ~= "table" then return tostring(v) end
  local out = {}
  if #v > 0 or next(v) == nil then
    for i, item in ipairs(v) do out[i] = json(item) end
    return "[" .. table.concat(out, ",") .. "]"
  end
  for k, item in pairs(v) do out[#out + 1] = quote(k) .. ":" .. json(item) end
  return "{" .. table.concat(out, ",") .. "}"
end

-- The same with some absent members given as null, which means the same.
local function with_nulls(v, names)
  local text = next(v) == nil and "{}" or json(v)
  for _, name in ipairs(names) do
    if v[name] == nil and chance(6) then
      text = text:sub(1, -2) .. (#text > 2 and "," or "") .. quote(name) .. ":null}"
    end
  end
  return text
end

-- ---- functions ----

local tests = {
  function() return "has(sub.roles, " .. quote(pick(roles)) .. ")" end,
  function() return "has(sub.token_roles, " .. quote(pick(roles)) .. ")" end,
  function() return "res.amount ~= nil and res.amount <= " .. random(0, 60) end,
  function() return "res.amount <= " .. random(0, 60) end,
  function() return "same(res.owner, sub.id)" end,
  function() return "res.owner == sub.id" end,
  function() return "overlaps(res.tags, sub.groups)" end,
  function() return "multi_factor(sub.amr)" end,
  function() return "#res.tags > 1" end,
  function() return "res.tags[1] == " .. quote(pick(people)) end,
  function() return "has(res.tags, sub.id)" end,
  function() return "sub.none.deeper == 1" end,
  function() return "ctx.now - 1700000000 > " .. random(-5, 5) end,
  function() return "ctx.action == " .. quote(pick(actions)) end,
  function() return "res.type == " .. quote(pick(types)) end,
  function() return "starts_with(res.id, " .. quote(pick { "acme", "x%2F", "50", "1" }) .. ")" end,
  function() return "ends_with(res.id, " .. quote(pick(numbers)) .. ")" end,
  function() return "contains(res.id, \"%\")" end,
  function() return "split(res.id, \"/\")[2] == " .. quote(pick(numbers)) end,
  function() return "(sub or nil).tenant == " .. quote(pick(tenants)) end,
  function() return "res.flag == true" end,
  function() return "res.flag" end,
  function() return "sub.mfa" end,
  function() return "not sub.mfa" end,
  function() return "sub[\"ten\" .. \"ant\"] == res.tenant" end,
  function() return "ctx.ip ~= nil and cidr(ctx.ip, \"10.0.0.0/8\")" end,
  function() return "between(clock(ctx.now, \"+01:00\").hhmm, \"08:00\", \"18:00\")" end,
  function() return "lim[res.tenant] ~= nil and res.amount ~= nil and res.amount <= lim[res.tenant].max" end,
  function() return "mod.small(res)" end,
  function() return "mod.owner(sub, res)" end,
  function() return "has(sub.scopes, " .. quote(pick(scopes)) .. ")" end,
  function() return "sub.client == " .. quote(pick(clients)) end,
  function() return "sub.actor ~= nil" end,
  function() return "has(sub.chain, \"gw\")" end,
  function() return "type(res.tags) == \"table\"" end,
  function() return "sub.issuer ~= res.owner" end,
  function() return "sub.level ~= nil and sub.level >= " .. random(0, 4) end,
  function() return "math.type(sub.level) == \"integer\"" end,
  function() return "same(sub.level, res.amount)" end,
  function() return "sub.level == " .. pick { "2", "2.0", "2.5", "\"2\"" } end,
  function() return "between(res.amount, " .. random(0, 20) .. ", " .. random(20, 60) .. ")" end,
  function() return "between(sub.id, \"b\", \"c\")" end,
  function() return "has(staff.vips, sub.id)" end,
  function() return "overlaps(staff.vips, res.tags)" end,
  function() return "staff.rank[sub.id] ~= nil and staff.rank[sub.id] > 2" end,
  function() return "staff.rank[sub.id] > 2" end,
  function() return "#staff.none == 0 and staff.gone == nil and staff.vips[2] == sub.id" end,
  function() return "upper(sub.id) == " .. pick { "\"ANN\"", "\"BOB\"" } end,
  function() return "lower(res.owner) == \"eve\"" end,
  function() return "sub.id:upper():sub(1, 1) == \"B\"" end,
  function() return "type(res.amount) == \"number\" and string.format(\"%s/%d\", sub.id, res.amount) == \"ann/7\"" end,
  function() return "tostring(res.amount) == " .. pick { "\"7\"", "\"12\"", "\"nil\"" } end,
  function() return "tonumber(split(res.id, \"/\")[2]) == 2" end,
  function() return "type(res.amount) == \"number\" and math.max(res.amount, 5) == 5" end,
  function() return "res.amount // 10 == " .. random(0, 6) end,
  function() return "select(\"#\", table.unpack(split(res.id, \"/\"))) == 2" end,
  function() return "clock(ctx.now).day == 14 and clock(ctx.now, \"-05:30\").sec == 20" end,
  function() return "math.type(ctx.now) == \"integer\"" end,
  function() return "ctx.tags ~= nil and ctx.tags[1] == sub.id" end,
  function() return "ctx.level == 2" end,
  function() return "res.any ~= nil and res.any.x == 1" end,
  function() return "type(res.any) == " .. pick { "\"table\"", "\"nil\"", "\"string\"" } end,
  function() return "sub.extra.deep[2] == \"y\"" end,
  function() return "res.owner == \"\"" end,
  function() return "same(res.owner, sub.name)" end,
  function() return "plain(sub.id, res.owner)" end,
  function() return "mod.vip(sub)" end,
}
local results = { "true", "false", "1", "nil", "\"true\"", "res", "{}" }
local bodies = {
  function() return "return " .. pick(tests)() end,
  function() return "return " .. pick(tests)() end,
  function() return "return not (" .. pick(tests)() .. ")" end,
  function() return "return (" .. pick(tests)() .. ") and (" .. pick(tests)() .. ")" end,
  function() return "return (" .. pick(tests)() .. ") or (" .. pick(tests)() .. ")" end,
  function() return "if " .. pick(tests)() .. " then return true end\n return " .. pick(tests)() end,
  function() return "return " .. pick(results) end,
  function() return "error(\"no\")" end,
  function()
    return "local n = 0\n for _, t in ipairs(res.tags) do if t == sub.id then n = n + 1 end end\n"
      .. " return n > 0"
  end,
  function()
    return "local s = \"\"\n for k, v in sorted(lim) do s = s .. k .. v.max end\n"
      .. " return s == \"acme50globex5\""
  end,
  function()
    return "local t = {}\n for i, x in ipairs(staff.vips) do table.insert(t, i, x) end\n"
      .. " t[#t + 1] = sub.id\n table.sort(t, function(a, b) return a > b end)\n"
      .. " return table.concat(t, \"+\") == \"bob+bob+ann\" and table.remove(t) == \"ann\""
  end,
  function()
    return "for _, v in sorted(res.tags) do if v == sub.id then return true end end\n"
      .. " return false"
  end,
  function()
    return "assert(res.amount, \"none\")\n local p = table.pack(res.amount, nil)\n"
      .. " return p.n == 2 and p[1] > 20"
  end,
  function()
    return "local i = 0\n while i < 10 do i = i + 1 if i == res.amount then return true end end\n"
      .. " repeat i = i - 1 until i <= 0\n return i ~= 0"
  end,
  function()
    return "local f = function() return sub.tenant end\n return f() == res.tenant"
  end,
  function()
    return "local function f(x) return x.owner end\n return f(res) == sub.id"
  end,
}

-- ---- policies ----

local function schema_of(w)
  local out = {}
  if w.claims then
    out[#out + 1] = "claims {\n  id = { from = \"sub\" }, tenant = { from = \"tenant\" },\n"
      .. "  roles = { from = " .. quote(w.role_path) .. ", " .. (w.role_kind and "type = \"set\"" or "") .. " },\n"
      .. "  groups = { type = \"set\" }, amr = { type = \"set\" }, mfa = { type = \"boolean\""
      .. (w.need_mfa and ", required = true" or "") .. " }, name = {},\n"
      .. "  level = { type = " .. quote(w.level) .. " }, extra = { type = \"any\" },\n"
      .. (w.own_client and "  client = { from = \"app.id\" },\n" or "")
      .. (w.own_issuer and "  issuer = { from = \"idp\" },\n" or "")
      .. (w.own_scopes and "  scopes = { from = \"perm\" },\n" or "") .. "}\n"
  end
  if w.closed then
    out[#out + 1] = "roles {\n"
    for _, r in ipairs(roles) do
      if r ~= w.unknown then
        local below = {}
        for _, b in ipairs(chance(2) and some(roles, 2) or {}) do
          if b ~= w.unknown then below[#below + 1] = quote(b) end
        end
        out[#out + 1] = "  " .. r .. " = { " .. table.concat(below, ", ") .. " },\n"
      end
    end
    out[#out + 1] = "}\n"
  end
  for name, t in pairs(w.types or {}) do
    out[#out + 1] = "resource " .. quote(name) .. " {\n"
      .. (t.template and "  id = " .. quote(t.template) .. ",\n" or "")
      .. "  actions = " .. lua_list(t.actions):gsub("^\".*\"$", "{ %0 }") .. ",\n"
      .. "  attrs = { owner = " .. quote(t.owner) .. ", tags = \"set?\", flag = \"boolean?\", "
      .. "any = \"any?\", level = \"number?\", name = \"string?\", amount = "
      .. quote(t.amount) .. (t.template and "" or ", tenant = \"string?\"") .. " },\n}\n"
  end
  return table.concat(out)
end

local function pattern(w, name)
  local t = w.types and w.types[name]
  local n = t and t.template and 2 or random(1, 3)
  local kind = random(4)
  if kind == 1 then return name end
  if kind == 2 then return name .. ":*" end
  local parts = {}
  for i = 1, n do
    parts[i] = chance(3) and "*" or encode(i == 1 and pick(tenants) or pick(numbers), true)
  end
  return name .. ":" .. table.concat(parts, "/")
end

local function duty(name)
  if name == "step-up" then
    local age = chance(4) and "" or ", max_age = " .. random(1, 9) * 60
    return "step_up { acr_values = { " .. quote(pick { "mfa", "hw" }) .. " }" .. age .. " }"
  end
  return "{ type = " .. quote(name) .. ", level = " .. random(3) .. " }"
end

local function oblige()
  local list = some(duties, 2)
  if #list == 1 and chance(2) then return duty(list[1]) end
  for i, name in ipairs(list) do list[i] = duty(name) end
  return "{ " .. table.concat(list, ", ") .. " }"
end

local function rule(w, id)
  local effect = pick { "allow", "allow", "allow", "deny", "challenge" }
  local kinds, names = {}, w.type_names
  local out = { effect .. " " .. quote(id) .. " {\n" }
  local function add(key, value) out[#out + 1] = "  " .. key .. " = " .. value .. ",\n" end
  local every = chance(4)
  if every then
    kinds[1] = "*"
  else
    for _, name in ipairs(some(names, 2)) do kinds[#kinds + 1] = pattern(w, name) end
    if chance(12) then kinds[#kinds + 1] = "*" end
  end
  add("resource", lua_list(kinds))
  if chance(3) then
    add("action", chance(2) and "\"*\"" or "{ \"*\" }")
  else
    local known = actions
    if w.types then
      known = w.types[every and pick(names) or kinds[1]:match("^[^:]*")].actions
    end
    add("action", lua_list(some(known, 2)))
  end
  if chance(2) then
    local list = {}
    for _, r in ipairs(some(roles, 2)) do
      if not (w.closed and r == w.unknown) then list[#list + 1] = r end
    end
    if #list > 0 then add("roles", lua_list(list)) end
  end
  if chance(6) then add("scopes", lua_list(some(scopes, 2))) end
  if chance(8) then add("clients", lua_list(some(clients))) end
  if chance(8) then add("issuers", lua_list(some(issuers))) end
  if chance(5) then add("same", chance(6) and not w.types and not w.claims and "\"tags\"" or pick(sames)) end
  if chance(2) then
    add(chance(3) and "unless" or "when",
        "function(sub, res, ctx)\n " .. pick(bodies)() .. "\n end")
  end
  if effect ~= "deny" and chance(effect == "challenge" and 1 or 3) and not chance(6) then
    add("oblige", oblige())
  end
  if chance(4) then add("reason", quote("why " .. id)) end
  if chance(6) then add("advise", chance(2) and "{ hint = " .. quote(id) .. " }" or oblige()) end
  out[#out + 1] = "}\n"
  return table.concat(out)
end

function G.world(seed)
  math.randomseed(seed)
  local w = { type_names = some(types, 4), role_path = "roles" }
  if not chance(3) then
    w.claims, w.closed = not chance(3), not chance(3)
    w.unknown = pick(roles)
    w.need_mfa, w.level = chance(6), pick { "number", "integer" }
    w.own_client, w.own_issuer, w.own_scopes = chance(6), chance(6), chance(6)
    w.role_kind = chance(2)
    if w.claims and chance(3) then w.role_path = "realm.roles" end
    if not chance(3) then
      w.types = {}
      for _, name in ipairs(w.type_names) do
        w.types[name] = { template = chance(3) and nil or "{tenant}/{number}",
                          actions = some(actions), amount = pick { "number?", "integer?", "number" },
                          owner = chance(6) and "string" or "string?" }
      end
    end
  end
  local count = chance(8) and random(40, 90) or random(1, 14)
  local files = { ["lib/mod.lua"] = "local M = {}\n"
    .. "function M.small(x) return x.amount ~= nil and x.amount < 10 end\n"
    .. "function M.owner(s, r) return same(s.id, r.owner) end\n"
    .. "local more = require \"lib.more\"\nfunction M.vip(s) return has(more.vips, s.id) end\n"
    .. "return M\n",
    ["lib/more.lua"] = "local staff = data \"staff\"\nreturn { vips = staff.vips }\n",
    ["lib/plain.lua"] = "return function(a, b) return a ~= nil and a == b end\n" }
  local parts = { {}, {} }
  for i = 1, count do
    local part = parts[random(2)]
    local id = pick { "a", "B", "z", "_", "\u{e9}" } .. "." .. (chance(2) and i or 1000 - i)
    part[#part + 1] = rule(w, id)
  end
  for i, name in ipairs { "policies/one.lua", "policies/two.lua" } do
    files[name] = "local mod = require \"lib.mod\"\nlocal lim = data \"limits\"\n"
      .. "local plain = require \"lib.plain\"\nlocal staff = data \"staff\"\n"
      .. table.concat(parts[i])
  end
  local schema = schema_of(w)
  if schema ~= "" then files["schema.lua"] = schema end
  w.files, w.json = files, { ["data/limits.json"] = limits, ["data/staff.json"] = staff }
  w.data = { limits = { acme = { max = 50, zone = "+01:00" }, globex = { max = 5, zone = "-05:30" } },
             staff = { vips = { "ann", "bob" }, none = {}, rank = { ann = 3, bob = 1.5 } } }
  return w
end

-- ---- requests ----

local function claims_of(w)
  local c = { sub = pick(people) }
  if not chance(4) then c.tenant = pick(tenants) end
  if chance(20) then c.tenant = 7 end
  local list = some(roles, 3)
  if chance(6) then list = list[1] end
  if w.role_path == "roles" then c.roles = list else c.realm = { roles = list } end
  if chance(8) then c.roles, c.realm = nil, nil end
  if chance(2) then c.groups = some(people, 2) end
  if chance(2) then c.amr = chance(8) and { "geo", "mfa" } or some(methods, 3) end
  if chance(20) then c.amr = pick(methods) end
  if chance(2) then c.mfa = chance(2) end
  if chance(3) then c.scope = table.concat(some(scopes), chance(5) and "  " or " ") end
  if chance(6) then c.scp = some(scopes) end
  if chance(3) then c.azp = pick(clients) end
  if chance(6) then c.client_id = pick(clients) end
  if chance(2) then c.iss = pick(issuers) end
  if chance(6) then c.act = { sub = "gw", act = chance(2) and { sub = "bot" } or nil } end
  if chance(3) then c.level = pick { 1, 2, 2.0, 2.5, 3 } end
  if chance(3) then c.name = pick { "ann", "bob", "" } end
  if chance(4) then c.extra = pick { 1, "x", {}, { deep = { "x", "y" } } } end
  if chance(4) then c.app = { id = pick(clients) } end
  if chance(4) then c.idp = pick(issuers) end
  if chance(4) then c.perm = chance(2) and some(scopes) or pick(scopes) end
  if chance(30) then c[pick { "tenant", "name", "groups" }] = pick { "", {} } end
  if chance(40) then -- of a type that nobody may give it
    c[pick { "sub", "iss", "azp", "roles", "scope", "act", "level", "groups", "perm" }]
      = pick { 5, true, { odd = 1 }, { 7 } }
  end
  if chance(10) then c.id, c.client, c.issuer = "fake", "web", "https://idp.acme" end
  return c
end

local broken = { "", "doc", "Doc:1", "doc:", "doc:a//b", "doc:/a", "doc:a/", "doc:a%2f", "doc:%41",
                 "doc:%", "doc:a%2", "doc:a\tb", ":x", "doc:a\127" }

local function name_of(w)
  if chance(40) then return pick(broken) end
  local kind = chance(12) and pick(types) or pick(w.type_names)
  local t = w.types and w.types[kind]
  local n = t and t.template and not chance(15) and 2 or random(1, 3)
  local parts = {}
  for i = 1, n do
    parts[i] = encode(i == 1 and pick(tenants) or pick(numbers), chance(2))
  end
  return kind .. ":" .. table.concat(parts, "/")
end

function G.request(w)
  local q = { resource = name_of(w), action = chance(30) and "nothing" or pick(actions),
              attrs = {}, context = {}, able = {}, now = 1700000000 + random(-5, 5) * 3600 }
  local known = w.types and w.types[q.resource:match("^[^:]*")]
  if known and not chance(12) then q.action = pick(known.actions) end
  if not chance(3) then q.attrs.owner = pick(people) end
  if not chance(3) then q.attrs.amount = chance(3) and random(0, 60) + 0.5 or random(0, 60) end
  if chance(2) then q.attrs.tags = some(people) end
  if chance(20) then q.attrs.tags = {} end
  if chance(40) then q.attrs.tags = pick { { 1, "ann", true }, { { "ann" } }, "ann" } end
  if chance(20) then q.attrs.owner = "" end
  if chance(4) then q.attrs.name = pick { "ann", "bob", "" } end
  if chance(4) then q.attrs.level = pick { 1, 2, 2.0, 2.5, 3 } end
  if chance(4) then q.attrs.any = pick { { x = 1 }, { "x" }, "x", 1, true } end
  if chance(10) then q.now = q.now + 0.5 end
  if chance(2) then q.attrs.flag = chance(2) end
  if chance(4) then q.attrs.tenant = pick(tenants) end
  if chance(60) then q.attrs.type = "doc" end
  if chance(30) then q.attrs.amount = "12" end
  if chance(3) then q.context.ip = pick { "10.1.2.3", "11.1.2.3", "text" } end
  if chance(60) then q.context.now = 1 end
  if chance(6) then q.context.tags = some(people) end
  if chance(6) then q.context.level = pick { 2, 2.0, 3 } end
  if chance(2) then q.able = some(duties) end
  local claims = claims_of(w)
  return claims, q
end

-- For the comparison in C: one request and what the reference says, as texts.
function G.ask(w, p, reference)
  local claims, q = G.request(w)
  local outcome, code, rule, due, reason, advice = reference.decide(p, claims, q)
  return with_nulls(claims, { "tenant", "groups", "azp", "scope", "act", "roles", "level" }),
         q.action, q.resource, with_nulls(q.attrs, { "owner", "amount", "flag" }),
         with_nulls(q.context, { "ip" }), table.concat(q.able, " "), q.now, outcome, code, rule,
         due, reason, advice
end

return G
