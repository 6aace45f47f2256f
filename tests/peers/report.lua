-- Turns the lines of tests/peers/run into figures: a JSON line for each engine, application and size,
-- then a table, then the goals.
--
--     lua5.4 tests/peers/report.lua build/peers/lines.jsonl
--
-- p50 and p99 are medians over the rounds; a ratio is the median of the rounds' ratios of p50 to that
-- of our engine alone (`pep_policy_decide`), in the same round. The other engines have neither token
-- nor record, so that is the comparison of like with like; the ratio to the whole public call
-- (`pep_check`) stands beside it and is judged too. An engine at its best is its variant with the
-- smallest p50, chosen for each application and size.

local here = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
local json = dofile(here .. "/json.lua")

local ENGINE, CALL = "ours, engine", "ours, pep_check"
-- Which variants (by the start of their names), called what, how many times slower than ours. The last
-- one is no goal: it is what published comparisons measure.
local GOALS = {
  { { "cedar" }, "Cedar at its best", 5 },
  { { "opa" }, "OPA at its best", 50 },
  { { "opa as input, converted", "opa rules, role in array, converted" },
    "OPA by the paper's method (graph and conversion in each request)", 50 },
}

local points, order = {}, {} -- "app n" -> { app, n, engines = { name -> { p50s, p99s by round } }, names }

local function add(line, engine, p50, p99)
  local key = line.app .. " " .. math.tointeger(line.n)
  local point = points[key]
  if not point then
    point = { app = line.app, n = math.tointeger(line.n), engines = {}, names = {} }
    points[key], order[#order + 1] = point, point
  end
  local of = point.engines[engine]
  if not of then
    of = { p50 = {}, p99 = {} }
    point.engines[engine], point.names[#point.names + 1] = of, engine
  end
  of.p50[line.round], of.p99[line.round] = p50, p99
end

local function median(values)
  local sorted = { table.unpack(values) }
  table.sort(sorted)
  local n = #sorted
  return (sorted[(n + 1) // 2] + sorted[n // 2 + 1]) / 2
end

local function ratios(of, base)
  local out = {}
  for round, p50 in ipairs(of.p50) do out[round] = p50 / base.p50[round] end
  return out
end

local function read(path)
  local clocks = {}
  for text in io.lines(path) do
    local line = json.read(text)
    if line.bench then
      add(line, ENGINE, line.pep_policy_decide.p50, line.pep_policy_decide.p99)
      add(line, CALL, line.pep_check.p50, line.pep_check.p99)
    else
      add(line, line.engine, line.p50_ns / 1000, line.p99_ns / 1000)
      clocks[#clocks + 1] = line.clock_ns
    end
  end
  return clocks
end

local function figures(point)
  local base, call = point.engines[ENGINE], point.engines[CALL]
  table.sort(point.names, function(a, b)
    local x, y = a:match("^ours") or "", b:match("^ours") or ""
    if x ~= y then return x > y end
    return a < b
  end)
  point.rows = {}
  for i, name in ipairs(point.names) do
    local of = point.engines[name]
    local all = ratios(of, base)
    point.rows[i] = { engine = name, p50 = median(of.p50), p99 = median(of.p99), ratio = median(all),
      call_ratio = median(ratios(of, call)), rounds = all }
  end
end

local function print_json(point)
  for _, row in ipairs(point.rows) do
    local rounds = {}
    for i, r in ipairs(row.rounds) do rounds[i] = ("%.4g"):format(r) end
    print(('{"bench":"peers","app":"%s","n":%d,"engine":"%s","p50":%.4g,"p99":%.4g,"unit":"us","ratio":%.4g,'
      .. '"ratio_to_pep_check":%.4g,"rounds":[%s]}'):format(point.app, point.n, row.engine, row.p50, row.p99,
      row.ratio, row.call_ratio, table.concat(rounds, ",")))
  end
end

local function number(x)
  if x >= 100 then return ("%.0f"):format(x) end
  return ("%.3g"):format(x)
end

local function print_table()
  print("\n| app | n | engine | p50 us | p99 us | p50 / our engine | p50 / pep_check |")
  print("|---|---:|---|---:|---:|---:|---:|")
  for _, point in ipairs(order) do
    for _, row in ipairs(point.rows) do
      print(("| %s | %d | %s | %s | %s | %s | %s |"):format(point.app, point.n, row.engine, number(row.p50),
        number(row.p99), number(row.ratio), number(row.call_ratio)))
    end
  end
end

local function is_one_of(name, starts)
  for _, start in ipairs(starts) do
    if name:sub(1, #start) == start then return true end
  end
  return false
end

local function best(point, starts)
  local least
  for _, row in ipairs(point.rows) do
    if is_one_of(row.engine, starts) and (not least or row.p50 < least.p50) then least = row end
  end
  return least
end

local function verdict(point, row, member, goal)
  return ("%s: %s n=%d: %.1fx (%s)"):format(row[member] >= goal and "reached" or "NOT reached", point.app,
    point.n, row[member], row.engine)
end

local function print_goal(of, member, beside)
  local starts, name, goal = of[1], of[2], of[3]
  local lines, missed = {}, 0
  for _, point in ipairs(order) do
    local row = best(point, starts)
    if row then
      lines[#lines + 1] = "  " .. verdict(point, row, member, goal)
      if row[member] < goal then missed = missed + 1 end
    end
  end
  if #lines == 0 then
    print(("\nGoal: at least %dx %s, beside %s: not measured"):format(goal, name, beside))
    return
  end
  print(("\nGoal: at least %dx %s, beside %s: %s (%d of %d points)"):format(goal, name, beside,
    missed == 0 and "REACHED" or "NOT REACHED", #lines - missed, #lines))
  print(table.concat(lines, "\n"))
end

local clocks = read(arg[1])
for _, point in ipairs(order) do figures(point) end
for _, point in ipairs(order) do print_json(point) end
print_table()
if #clocks > 0 then
  print(("\nThe peers' clocks add about %d ns to each decision (median of the runs); it is in the figures, as it is"
    .. "\nin ours. Casbin: rules only, see its driver's head."):format(median(clocks) // 1))
end
for _, goal in ipairs(GOALS) do
  print_goal(goal, "ratio", "our engine alone")
  print_goal(goal, "call_ratio", "the whole of pep_check")
end
