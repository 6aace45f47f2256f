-- JSON as the files of the peer comparison need it: a reader, and a writer that sorts members by name
-- so that the same data is always the same bytes. Lists come back as tables from 1, null as nil. No
-- dependency, and no speed: nothing in here is ever timed.

local json = {}

local escapes = { n = "\n", t = "\t", r = "\r", b = "\b", f = "\f" }

local function skip(s, i) return s:find("[^ \t\r\n]", i) or #s + 1 end

local function fail(i, what) error(("JSON, byte %d: %s"):format(i, what), 0) end

local function read_text(s, i)
  local out = {}
  while true do
    local from, to = s:find('^[^"\\]+', i)
    if from then out[#out + 1], i = s:sub(from, to), to + 1 end
    local c = s:sub(i, i)
    if c == '"' then return table.concat(out), i + 1 end
    if c ~= "\\" then fail(i, "a text does not end") end
    local e = s:sub(i + 1, i + 1)
    if e == "u" then
      out[#out + 1], i = utf8.char(tonumber(s:sub(i + 2, i + 5), 16)), i + 6
    else
      out[#out + 1], i = escapes[e] or e, i + 2
    end
  end
end

local read

-- Members or items up to `close`; `take` reads one from a position and returns the next position.
local function read_many(s, i, close, take)
  i = skip(s, i)
  if s:sub(i, i) == close then return i + 1 end
  while true do
    i = skip(s, take(skip(s, i)))
    local c = s:sub(i, i)
    if c == close then return i + 1 end
    if c ~= "," then fail(i, "expected , or " .. close) end
    i = i + 1
  end
end

function read(s, i)
  local c = s:sub(i, i)
  if c == '"' then return read_text(s, i + 1) end
  if c == "{" then
    local out = {}
    return out, read_many(s, i + 1, "}", function(at)
      local name
      if s:sub(at, at) ~= '"' then fail(at, "expected a name") end
      name, at = read_text(s, at + 1)
      at = skip(s, at)
      if s:sub(at, at) ~= ":" then fail(at, "expected :") end
      out[name], at = read(s, skip(s, at + 1))
      return at
    end)
  end
  if c == "[" then
    local out = {}
    return out, read_many(s, i + 1, "]", function(at)
      out[#out + 1], at = read(s, at)
      return at
    end)
  end
  for word, value in pairs { ["true"] = true, ["false"] = false } do
    if s:sub(i, i + #word - 1) == word then return value, i + #word end
  end
  if s:sub(i, i + 3) == "null" then return nil, i + 4 end
  local number = s:match("^-?%d+%.?%d*[eE]?[+-]?%d*", i)
  if not number then fail(i, "expected a value") end
  return math.tointeger(tonumber(number)) or tonumber(number), i + #number
end

function json.read(s)
  local value, i = read(s, skip(s, 1))
  i = skip(s, i)
  if i <= #s then fail(i, "something follows the value") end
  return value
end

function json.read_file(path)
  local f = assert(io.open(path))
  local text = f:read("a")
  f:close()
  return json.read(text)
end

-- An empty table is an object unless it has a field `list`.
function json.write(value)
  local out = {}
  if type(value) == "string" then
    return '"' .. value:gsub('["\\%c]', function(c) return ("\\u%04x"):format(c:byte()) end) .. '"'
  end
  if type(value) ~= "table" then return tostring(value) end
  if #value > 0 or value.list then
    for i, item in ipairs(value) do out[i] = json.write(item) end
    return "[" .. table.concat(out, ",") .. "]"
  end
  local names = {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do out[i] = json.write(name) .. ":" .. json.write(value[name]) end
  return "{" .. table.concat(out, ",") .. "}"
end

return json
