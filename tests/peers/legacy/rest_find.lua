-- Looks for other images of the patient.
-- image: InstanceNumber=1
-- image: InstanceNumber=2
-- sees: stored 2, says 4
function OnStoredInstance(instanceId, tags)
  local query = { Level = 'Instance', Query = { PatientID = tags.PatientID }, Expand = true }
  local found = ParseJson(RestApiPost('/tools/find', DumpJson(query, true)))
  print(#found >= 1, found[1].Type, found[1].MainDicomTags.SOPInstanceUID)
  print(#ParseJson(RestApiPost('/tools/find', '{"Level":"Study","Query":{"PatientID":"rest_find_nobody"}}')))
end
