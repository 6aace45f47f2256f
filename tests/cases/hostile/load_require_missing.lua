-- refused E211
local m = require 'lib.nothing'
