-- refused E213
local function f0() local function f1() local function f2() local function f3() local function f4() local function f5() local function f6() local function f7() local function f8() return 1 end end end end end end end end end 
