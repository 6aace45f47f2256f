local t = nil
local x = t.y
allow "b" {
  action = "read", resource = "invoice",
}
