-- refused E205
local n = 'lib.' .. 'x'
local m = require(n)
