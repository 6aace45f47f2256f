for i = 1, 20 do
  deny("b" .. i) { action = "*", resource = "*", roles = "manager", reason = "test" }
end
