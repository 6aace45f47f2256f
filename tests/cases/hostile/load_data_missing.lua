-- refused E211
local m = data 'nothing'
