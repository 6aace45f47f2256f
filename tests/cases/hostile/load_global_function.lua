-- refused E201
function f() end
