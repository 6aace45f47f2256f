-- refused E209
allow "h" { action = "do", resource = "thing",
  when = function(sub, res, ctx)
    return #'a\0b' == 3 and 'a\0b' ~= 'a' and ends_with('a\0b', 'b')
  end }
