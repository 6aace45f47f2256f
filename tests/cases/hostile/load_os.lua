-- refused E202
local t = os.time()
