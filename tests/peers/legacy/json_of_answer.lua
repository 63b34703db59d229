-- Reads nested JSON, nulls and texts with escapes.
-- sees: stored 1, says 3
function OnStoredInstance(instanceId)
  local t = ParseJson('{"a": [1, [2, 3], {"b": null}], "c": "\\u00e4\\n", "d": true, "e": 1.5, "f": {}}')
  print(t.a[2][2] == 3, t.a[3].b, #t.c, t.d, t.e, next(t.f))
  print(#ParseJson('[]'), ParseJson('"text"'), ParseJson('false'))
  print(ParseJson('[1,2,3]')[4], (ParseJson('')), (ParseJson('{"a":')))
end
