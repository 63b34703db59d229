-- What a failed request has answered is no resource.
-- sees: stored 1, says 1
function OnStoredInstance(instanceId)
  local other = RestApiGet('/instances/nobody')
  SendToModality(instanceId, 'archive')
  Delete(other)
end
