-- The words that a policy may use; anything else is a mistake. Run `luacheck .` in this folder.
std = {
  read_globals = {
    "allow", "deny", "challenge", "step_up", "data", "require",
    "same", "has", "overlaps", "between", "clock", "cidr",
    "starts_with", "ends_with", "contains", "split", "lower", "upper",
    "sorted", "ipairs", "select", "type", "tostring", "tonumber", "error", "assert",
    table = { fields = { "concat", "insert", "remove", "sort", "unpack", "pack" } },
    math = { fields = {
      "abs", "ceil", "floor", "fmod", "huge", "max", "maxinteger", "min", "mininteger", "modf", "pi",
      "sqrt", "tointeger", "type", "ult",
    } },
    string = { fields = { "byte", "char", "format", "len", "lower", "rep", "reverse", "sub", "upper" } },
  },
}
files["schema.lua"] = { std = { read_globals = { "claims", "roles", "resource" } } }
files["tests/*_test.lua"] = { read_globals = { "token", "test", "matrix", "invariant" } }
exclude_files = { "types" }
unused_args = false          -- a rule may ignore what it is given
max_line_length = 120
