local t = {{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}
allow "b" {
  action = "read", resource = "invoice", when = function() return t ~= nil end,
}
