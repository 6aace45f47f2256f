-- refused E205
local r = require
