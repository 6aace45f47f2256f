-- fault error
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local function deep(n)
      local t = { 3, 1, 2 }
      table.sort(t, function(a, b) deep(n + 1); return a < b end)
    end
    deep(1)
    return true
  end }
