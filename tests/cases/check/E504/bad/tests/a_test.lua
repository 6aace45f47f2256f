test "a misspelt attribute" {
  as = token { sub = "ann", tenant = "acme", roles = { "viewer" } }, action = "read",
  resource = "invoice:acme/1", with = { amuont = 5 }, expect = "allow",
}
