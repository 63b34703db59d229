-- Names come in UTF-8, whatever the file has.
-- image: @latin
-- sees: stored 1, says 3
function OnStoredInstance(instanceId, tags)
  print(tags.PatientName, #tags.PatientName, tags.PatientName:byte(2, 3))
  print(DumpJson(tags.PatientName))
  print(string.upper(tags.PatientName), tags.PatientName:find('\195\188', 1, true))
end
