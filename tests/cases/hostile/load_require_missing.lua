-- refused E206
local m = require 'lib.nothing'
