-- refused E206
local m = data 'nothing'
