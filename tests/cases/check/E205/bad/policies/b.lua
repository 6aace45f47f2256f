local name = "lib." .. "hours"
local hours = require(name)
allow "b" {
  action = "read", resource = "invoice",
}
