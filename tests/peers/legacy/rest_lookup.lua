-- From a UID to Orthanc's identifier.
-- sees: stored 1, says 2
function OnStoredInstance(instanceId, tags)
  local found = ParseJson(RestApiPost('/tools/lookup', tags.SOPInstanceUID))
  print(#found, found[1].Type, found[1].ID == instanceId, found[1].Path == '/instances/' .. instanceId)
  print(RestApiPost('/tools/lookup', '1.2.3.nobody'))
end
