for i = 1, 2000 do
  deny("b" .. i) { action = "*", resource = "*", roles = "manager", reason = "test" }
end
