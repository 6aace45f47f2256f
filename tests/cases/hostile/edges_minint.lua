-- allow
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local m = math.mininteger
    local a = m // -1, m % -1
    for i = math.maxinteger - 1, math.maxinteger do end
    for i = m, m + 1 do end
    return a == m and math.abs(m) == m and math.fmod(m, -1) == 0 and math.tointeger(2^63) == nil and math.ult(1, -1) and math.tointeger(-2^63) == m and math.floor(2^70) == 2^70 and select(-1, 1, 2) == 2 and string.sub("abc", m, math.maxinteger) == "abc" and table.unpack({1,2}, 3) == nil
  end }
