-- The reference evaluator: what the language means, said as simply as possible.
--
-- It loads the same policy files as the engine, with plain Lua and tables, walks all rules one after
-- the other and knows no index, bits, ids or pools. It shares no source with the product, so that a
-- mistake there is no mistake here. It is slow and guards against nothing: for tests only.

local R = {}

-- Texts are no numbers in the language.
for _, name in ipairs { "add", "sub", "mul", "div", "mod", "pow", "unm", "idiv" } do
  getmetatable("")["__" .. name] = nil
end

-- ---- values ----

local function is_list(v) return type(v) == "table" end

local function same(a, b)
  if a == nil or b == nil or is_list(a) or is_list(b) or type(a) ~= type(b) then return false end
  return a ~= "" and a == b
end

local function has(list, x)
  if x == nil or is_list(x) or list == nil then return false end
  if not is_list(list) then return type(list) == type(x) and list == x end
  for _, v in ipairs(list) do
    if type(v) == type(x) and v == x then return true end
  end
  return false
end

local function overlaps(a, b)
  if a == nil or b == nil then return false end
  for _, x in ipairs(is_list(a) and a or { a }) do
    if has(b, x) then return true end
  end
  return false
end

local classes = { known = { "pwd", "pin", "kba" }, owned = { "hwk", "swk", "otp", "sms", "sc", "tel" },
                  body = { "face", "fpt", "iris", "retina", "vbm" } }

local function multi_factor(amr)
  local found = 0
  for _, class in pairs(classes) do
    if overlaps(amr, class) then found = found + 1 end
  end
  return has(amr, "mfa") or found >= 2
end

local function sorted_keys(t)
  local keys = {}
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys)
  return keys
end

local function sorted(t)
  if t == nil then return function() end end
  if not is_list(t) then error("sorted: needs a list or a table") end
  if #t > 0 then
    local i = 0
    return function() i = i + 1 if t[i] ~= nil then return i, t[i] end end
  end
  local keys, i = sorted_keys(t), 0
  return function() i = i + 1 if keys[i] ~= nil then return keys[i], t[keys[i]] end end
end

local function split_plain(s, sep)
  local out, from = {}, 1
  if s == nil then return out end
  while true do
    local a, b = string.find(s, sep, from, true)
    out[#out + 1] = string.sub(s, from, (a or 0) - 1)
    if not a then return out end
    from = b + 1
  end
end

local function between(x, low, high)
  return type(x) == type(low) and x ~= nil and low <= x and x < high
end

local function clock(now, offset)
  local sign, h, m = string.match(offset or "+00:00", "^([+-])(%d%d):(%d%d)$")
  local shift = (tonumber(h) * 60 + tonumber(m)) * 60
  local t = os.date("!*t", math.floor(now) + (sign == "-" and -shift or shift))
  return { year = t.year, month = t.month, day = t.day, hour = t.hour, min = t.min, sec = t.sec,
           hhmm = string.format("%02d:%02d", t.hour, t.min), wday = (t.wday + 5) % 7 + 1 }
end

local function ipv4(s)
  local a, b, c, d = string.match(s or "", "^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  return a and ((tonumber(a) * 256 + tonumber(b)) * 256 + tonumber(c)) * 256 + tonumber(d)
end

local function cidr(ip, block)
  local net, bits = string.match(block, "^(.*)/(%d+)$")
  local x, n = ipv4(ip), ipv4(net)
  local shift = 32 - tonumber(bits)
  return x ~= nil and x >> shift == n >> shift
end

-- ---- loading ----

local function as_list(v)
  if v == nil then return {} end
  return is_list(v) and v or { v }
end

function R.load(files, data)
  local p = { rules = {}, types = nil, roles = nil, claims = nil }
  local env, modules = {}, {}
  local function rule(effect)
    return function(id)
      return function(head)
        head.id, head.effect = id, effect
        p.rules[#p.rules + 1] = head
      end
    end
  end
  env.allow, env.deny, env.challenge = rule "allow", rule "deny", rule "challenge"
  env.step_up = function(t)
    return { type = "step-up", acr_values = t.acr_values, max_age = t.max_age }
  end
  env.claims = function(t) p.claims = t end
  env.roles = function(t) p.roles = t end
  env.resource = function(name)
    return function(t)
      p.types = p.types or {}
      p.types[name] = t
    end
  end
  env.data = function(name) return data[name] end
  env.require = function(name)
    if modules[name] == nil then
      local path = "lib/" .. string.sub(name, 5) .. ".lua"
      modules[name] = assert(load(files[path], path, "t", env))()
    end
    return modules[name]
  end
  env.same, env.has, env.overlaps, env.sorted, env.between = same, has, overlaps, sorted, between
  env.multi_factor = multi_factor
  env.split, env.clock, env.cidr = split_plain, clock, cidr
  env.ipairs = function(t)
    if t ~= nil and not is_list(t) then error("ipairs: needs a list") end
    return ipairs(t or {})
  end
  env.starts_with = function(s, x) return s ~= nil and string.sub(s, 1, #x) == x end
  env.ends_with = function(s, x) return s ~= nil and #s >= #x and string.sub(s, #s - #x + 1) == x end
  env.contains = function(s, x) return s ~= nil and string.find(s, x, 1, true) ~= nil end
  env.lower = function(s) return s and string.lower(s) end
  env.upper = function(s) return s and string.upper(s) end
  env.error, env.type, env.tostring, env.select = error, type, tostring, select
  env.assert, env.tonumber = assert, tonumber
  env.string, env.table, env.math = string, table, math
  for _, path in ipairs(sorted_keys(files)) do
    if path == "schema.lua" or string.sub(path, 1, 9) == "policies/" then
      assert(load(files[path], path, "t", env))()
    end
  end
  table.sort(p.rules, function(a, b) return a.id < b.id end)
  return p
end

-- ---- the subject ----

local function closed_roles(p, raw)
  if p.roles == nil then return raw end
  local out, queue = {}, {}
  for _, r in ipairs(raw) do queue[#queue + 1] = r end
  while #queue > 0 do
    local r = table.remove(queue)
    if p.roles[r] ~= nil and not has(out, r) then
      out[#out + 1] = r
      for _, below in ipairs(p.roles[r]) do queue[#queue + 1] = below end
    end
  end
  return out
end

local function words(s)
  local out = {}
  for w in string.gmatch(s, "[^ ]+") do out[#out + 1] = w end
  return out
end

-- A list of scalars, or nil.
local function scalars(v, only)
  for _, x in ipairs(v) do
    if is_list(x) or (only and type(x) ~= only) then return nil end
  end
  if v[1] ~= nil or next(v) == nil then return v end -- an object is no list
end

-- A claim as its type wants it, or nil.
local function of_kind(v, kind, name)
  if kind == "any" then return v end
  if kind == "integer" then return math.type(v) and v == math.floor(v) and v or nil end
  if kind == "scopes" and type(v) == "string" then return words(v) end
  if kind == "set" or kind == "scopes" then
    if type(v) == "string" then return { v } end
    return is_list(v) and scalars(v, (kind == "scopes" or name == "roles") and "string") or nil
  end
  if type(v) == kind then return v end
end

local usual_kinds = { roles = "set", scopes = "scopes", chain = "set" }

local function at(claims, path)
  local v = claims
  for part in string.gmatch(path, "[^.]+") do
    if is_list(v) then v = v[part] else v = nil end
  end
  return v
end

-- Where the usual names come from: from which claim, of which kind.
local usual = { id = { "sub", "string" }, issuer = { "iss", "string" },
                token_roles = { "roles", "set" } }

-- nil: a bad token.
function R.subject(p, claims)
  local sub = {}
  local declared = p.claims or {}
  if claims.azp ~= nil and claims.client_id ~= nil and claims.azp ~= claims.client_id then
    return nil
  end
  if p.claims == nil then
    for name, v in pairs(claims) do sub[name] = v end
    for _, name in ipairs { "id", "roles", "token_roles", "scopes", "client", "actor", "chain",
                            "issuer" } do
      sub[name] = nil
    end
  end
  usual.client = { claims.azp ~= nil and "azp" or "client_id", "string" }
  usual.scopes = { claims.scope ~= nil and "scope" or "scp", "scopes" }
  for name, source in pairs(usual) do
    local v = claims[source[1]]
    if v ~= nil and not declared[name == "token_roles" and "roles" or name] then
      sub[name] = of_kind(v, source[2], name == "token_roles" and "roles" or name)
      if sub[name] == nil then return nil end
    end
  end
  local actor = claims.act
  while actor ~= nil do
    if not is_list(actor) or type(actor.sub) ~= "string" then return nil end
    sub.actor = sub.actor or actor.sub
    sub.chain = sub.chain or {}
    sub.chain[#sub.chain + 1] = actor.sub
    actor = actor.act
  end
  for name, c in pairs(declared) do
    local v = at(claims, c.from or name)
    if v == nil then
      if c.required then return nil end
    else
      v = of_kind(v, c.type or usual_kinds[name] or "string", name)
      if v == nil then return nil end
    end
    sub[name == "roles" and "token_roles" or name] = v
  end
  sub.roles = sub.token_roles and closed_roles(p, sub.token_roles)
  return sub
end

-- ---- the resource ----

local codes = { ["2F"] = "/", ["3A"] = ":", ["2A"] = "*", ["25"] = "%" }

local function decode(s)
  local bad = false
  local out = string.gsub(s, "%%(..?)", function(code)
    if codes[code] == nil then bad = true end
    return codes[code]
  end)
  if bad or string.sub(s, -1) == "%" then return nil end
  return out
end

local function parse(name)
  local kind, id = string.match(name, "^([a-z][a-z0-9_.-]*):(.*)$")
  if kind == nil or #kind > 63 or #name > 1024 or string.find(name, "[%c\127]") then return nil end
  local r = { type = kind, segments = {} }
  for i, s in ipairs(split_plain(id, "/")) do
    if s == "" or i > 32 then return nil end
    local plain = decode(s)
    if plain == nil then return nil end
    r.segments[i] = plain
  end
  local again = {}
  for i, s in ipairs(r.segments) do
    again[i] = string.gsub(s, "[%%/]", { ["%"] = "%25", ["/"] = "%2F" })
  end
  r.id = table.concat(again, "/")
  return r
end

local function template_names(t)
  local names = {}
  for name in string.gmatch(t.id or "", "{([^}]*)}") do names[#names + 1] = name end
  return names
end

local function fits(v, shape)
  local kind = string.gsub(shape, "%?$", "")
  if kind == "any" then return true end
  if kind == "set" then return is_list(v) and scalars(v) ~= nil end
  if kind == "integer" then return math.type(v) ~= nil and v == math.floor(v) end
  return type(v) == kind
end

-- The attributes as rules see them, or nil and a code.
local function resource(p, q)
  local r = parse(q.resource)
  if r == nil then return nil, "bad_request" end
  local t = {}
  if p.types ~= nil then
    t = p.types[r.type]
    if t == nil or not has(t.actions, q.action) then return nil, "unknown" end
  end
  local names = template_names(t)
  if #names > 0 and #names ~= #r.segments then return nil, "bad_request" end
  local res = { type = r.type, id = r.id }
  for i, name in ipairs(names) do res[name] = r.segments[i] end
  for name, v in pairs(q.attrs) do
    if res[name] ~= nil then return nil, "bad_request" end
    if p.types == nil then
      res[name] = v
    elseif t.attrs ~= nil and t.attrs[name] ~= nil then
      if not fits(v, t.attrs[name]) then return nil, "bad_request" end
      res[name] = v
    end
  end
  for name, shape in pairs(t.attrs or {}) do
    if res[name] == nil and string.sub(shape, -1) ~= "?" then return nil, "bad_request" end
  end
  return res, nil, r
end

local function pattern_matches(pattern, r)
  if pattern == "*" then return true end
  local kind, id = string.match(pattern, "^([^:]*):?(.*)$")
  if kind ~= r.type then return false end
  if id == "" or id == "*" then return true end
  local parts = split_plain(id, "/")
  if #parts ~= #r.segments then return false end
  for i, part in ipairs(parts) do
    if part ~= "*" and decode(part) ~= r.segments[i] then return false end
  end
  return true
end

-- ---- one rule ----

local function any(list, test)
  for _, v in ipairs(as_list(list)) do
    if test(v) then return true end
  end
  return false
end

local function head_holds(rule, sub, res, r, action)
  if not any(rule.action, function(a) return a == "*" or a == action end) then return false end
  if not any(rule.resource, function(x) return pattern_matches(x, r) end) then return false end
  if rule.roles and not any(rule.roles, function(x) return has(sub.roles, x) end) then
    return false
  end
  for _, s in ipairs(as_list(rule.scopes)) do
    if not has(sub.scopes, s) then return false end
  end
  if rule.clients and not has(as_list(rule.clients), sub.client) then return false end
  if rule.issuers and not has(as_list(rule.issuers), sub.issuer) then return false end
  for _, name in ipairs(as_list(rule.same)) do
    if not same(sub[name], res[name]) then return false end
  end
  return true
end

-- "yes", "no" or "fault"
local function applies(rule, sub, res, ctx, r)
  if not head_holds(rule, sub, res, r, ctx.action) then return "no" end
  local f = rule.when or rule.unless
  if f == nil then return "yes" end
  local ok, v = pcall(f, sub, res, ctx)
  if not ok or type(v) ~= "boolean" then return "fault" end
  if rule.unless then v = not v end
  return v and "yes" or "no"
end

-- ---- combining ----

local function json(v)
  if type(v) == "string" then return '"' .. v .. '"' end
  if not is_list(v) then return tostring(v) end
  local out = {}
  if #v > 0 then
    for i, item in ipairs(v) do out[i] = json(item) end
    return "[" .. table.concat(out, ",") .. "]"
  end
  for _, k in ipairs(sorted_keys(v)) do out[#out + 1] = '"' .. k .. '":' .. json(v[k]) end
  return "{" .. table.concat(out, ",") .. "}"
end

local function obligations(rule)
  if rule.oblige == nil then return {} end
  return rule.oblige.type and { rule.oblige } or rule.oblige
end

local function text_of(list)
  return #list > 0 and json(list) or ""
end

local function can_fulfil(rule, able)
  for _, o in ipairs(obligations(rule)) do
    if not has(able, o.type) then return false end
  end
  return true
end

local function steps_up(list)
  return any(list, function(o) return o.type == "step-up" end)
end

-- The obligations of the first rule that asks for a step-up, else of the first that has any; with
-- the smallest age that any rule asks for.
local function asked(challenges)
  local list, age = {}, nil
  for _, rule in ipairs(challenges) do
    local own = obligations(rule)
    if #list == 0 or (steps_up(own) and not steps_up(list)) then list = own end
    for _, o in ipairs(own) do
      if o.type == "step-up" and o.max_age and (age == nil or o.max_age < age) then
        age = o.max_age
      end
    end
  end
  local out = {}
  for i, o in ipairs(list) do
    out[i] = {}
    for k, v in pairs(o) do out[i][k] = v end
    if o.type == "step-up" and age ~= nil then out[i].max_age = age end
  end
  return out
end

-- outcome, code, rule, obligations
local function decide(p, claims, q)
  local sub = R.subject(p, claims)
  if sub == nil then return "deny", "bad_token", nil, "" end
  local res, code, r = resource(p, q)
  if res == nil then return "deny", code, nil, "" end
  local ctx = { now = q.now, action = q.action }
  for name, v in pairs(q.context) do
    if ctx[name] ~= nil then return "deny", "bad_request", nil, "" end
    ctx[name] = v
  end
  local found = { deny = {}, allow = {}, challenge = {} }
  local failed = {}
  for _, rule in ipairs(p.rules) do
    local how = applies(rule, sub, res, ctx, r)
    if how ~= "no" and (how == "yes" or rule.effect == "deny") then
      table.insert(found[rule.effect], rule)
    end
    if how == "fault" then failed[rule.id] = true end
  end
  local deny, allow = found.deny[1], found.allow[1]
  if deny then return "deny", failed[deny.id] and "fault" or "denied", deny, "" end
  if allow == nil then return "deny", "not_granted", nil, "" end
  for _, rule in ipairs(p.rules) do
    if rule.effect == "challenge" and failed[rule.id] then return "deny", "fault", rule, "" end
  end
  if found.challenge[1] then
    return "challenge", "challenge", found.challenge[1], text_of(asked(found.challenge))
  end
  for _, rule in ipairs(found.allow) do
    if #obligations(rule) == 0 then return "allow", "allowed", allow, "" end
  end
  for _, rule in ipairs(found.allow) do
    if can_fulfil(rule, q.able) then
      return "allow", "allowed", allow, text_of(obligations(rule)), rule
    end
  end
  -- what the caller would have had to do is told with the denial
  return "deny", "obligation", allow, text_of(obligations(allow))
end

-- outcome, code, rule, obligations, reason, advice: all texts, "" where there is none. Advice goes
-- with the obligations that are due.
function R.decide(p, claims, q)
  local outcome, code, rule, due, due_by = decide(p, claims, q)
  local advises = due_by or rule
  local advice = advises and advises.advise
  if advice and #advice == 0 then advice = { advice } end
  return outcome, code, rule and rule.id or "", due, rule and rule.reason or "",
         advice and json(advice) or ""
end

return R
