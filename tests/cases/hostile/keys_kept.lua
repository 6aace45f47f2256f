-- allow

local odd, texts, list = {}, {}, {}
for i = 1, 256 do odd[i * 1023 * 511] = true end
for i = 1, 5000 do texts["k" .. i] = true; list[i] = i end
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return odd[1023 * 511] and texts.k4999 and #list == 5000 and list[4999] == 4999
  end }
