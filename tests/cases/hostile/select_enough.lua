-- allow

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local function f(n, ...)
      if n == 0 then
        return select("#", ...) == 256 and table.pack(...).n == 256 and math.max(...) == 1 and
          select("#", table.unpack(table.pack(...))) == 256
      end
      return f(n - 1, 1, ...)
    end
    return f(256)
  end }
