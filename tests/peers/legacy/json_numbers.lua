-- Texts that look like numbers, with and without keepStrings.
-- sees: stored 1, says 6
function OnStoredInstance(instanceId)
  print(DumpJson({ id = '0012', height = '1.80', name = '12a' }))
  print(DumpJson({ id = '0012', height = '1.80', name = '12a' }, true))
  print(DumpJson({ '1', '2', '3' }), DumpJson({ 1, 2, 3 }, false), DumpJson({}), DumpJson('007'))
  print(DumpJson({ yes = true, no = false }), DumpJson(nil), DumpJson({ nested = { {} } }))
  print(DumpJson({ date = '20260131', time = '235959.123', empty = '' }))
  print(DumpJson('a "quoted" text\n'), DumpJson('\\'))
end
