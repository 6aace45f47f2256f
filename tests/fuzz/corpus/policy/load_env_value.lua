-- refused E204
local e = _ENV
