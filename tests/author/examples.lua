-- Are the examples of `policyctl explain` true? Each code has a bad and a good one, and each stands in
-- the case that shows, or does not show, the code: white space apart, and in pieces where a line is
-- "...". "# FILE" says which file follows, "# FILE: remark" that it is there, "# no FILE" that it is not.
--
--     lua5.4 examples.lua EXAMPLES TREES CODES
local examples, trees, codes = arg[1], arg[2], arg[3]
local failures = 0

local function fail(...)
  print("FAIL " .. string.format(...))
  failures = failures + 1
end

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("a")
  if file then file:close() end
  return text
end

local function bare(text)
  return (text:gsub("%s+", ""))
end

-- What stands in the files of a tree that an example may be taken from.
local function texts_of(tree)
  local all = {}
  for path in io.popen("find '" .. tree .. "' -type f"):lines() do
    all[path:sub(#tree + 2)] = bare(read(path))
  end
  return all
end

local function stands(piece, files, file)
  if file then return files[file] ~= nil and files[file]:find(piece, 1, true) ~= nil end
  for _, text in pairs(files) do
    if text:find(piece, 1, true) then return true end
  end
  return false
end

local function check(name, lines, files)
  local piece, file, said = "", nil, false
  local function flush()
    if piece ~= "" and not stands(piece, files, file) then
      fail("%s: not in the case's %s: %s", name, file or "files", piece)
    end
    said = said or piece ~= ""
    piece = ""
  end
  for _, line in ipairs(lines) do
    local absent, present = line:match("^# no (%S+)$"), line:match("^# ([^%s:]+)")
    if absent then
      said = true
      if files[absent] then fail("%s: %s is there", name, absent) end
    elseif present then
      flush()
      file, said = present, said or line:find(":", 1, true) ~= nil
      if not files[present] then fail("%s: %s is not there", name, present) end
    elseif line == "..." then
      flush()
    else
      piece = piece .. bare(line)
    end
  end
  flush()
  if not said then fail("%s: empty", name) end
end

local found, section = {}, nil
for line in io.lines(examples) do
  local code, kind = line:match("^== (%u%d%d%d) (%l+)$")
  if code then
    section = {}
    if found[code .. "." .. kind] then fail("%s %s stands twice", code, kind) end
    found[code .. "." .. kind] = section
  else
    section[#section + 1] = line
  end
end
for code in io.lines(codes) do
  for _, kind in ipairs { "bad", "good" } do
    local name = code .. "." .. kind
    if found[name] then
      check(name, found[name], texts_of(trees .. "/" .. name))
      found[name] = nil
    else
      fail("%s: no example", name)
    end
  end
end
for name in pairs(found) do fail("%s: no such code", name) end
os.exit(failures == 0)
