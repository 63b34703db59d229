-- The modality answers out of resources: the synchronous request is nil.
-- sees: stored 1, says 2
function OnStoredInstance(instanceId, tags, metadata)
  local answer = RestApiPost('/modalities/refusing/store', instanceId)
  print(answer == nil)
  local permissive = DumpJson({ Resources = { instanceId }, Permissive = true }, true)
  print((RestApiPost('/modalities/refusing/store', permissive)) ~= nil)
end
