local t = {{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}}
allow "b" {
  action = "read", resource = "invoice", reason = "test", when = function() return t ~= nil end,
}
