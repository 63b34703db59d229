-- A call without the modality: Orthanc does not mind, and sends nothing.
-- sees: stored 1
function OnStoredInstance(instanceId)
  SendToModality(instanceId)
end
