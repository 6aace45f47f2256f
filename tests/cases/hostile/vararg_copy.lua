-- fault budget

allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    local function g() end
    local function f(...) while true do g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...) g(...)  end end
    local function h(n, ...)
      if n == 0 then return f(...) end
      return h(n - 1, 1, ...)
    end
    return h(900)
  end }
