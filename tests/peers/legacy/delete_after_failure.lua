-- Orthanc deletes what could not be sent; we keep it.
-- sees: stored 0
function OnStoredInstance(instanceId)
  Delete(SendToModality(instanceId, 'broken'))
end
