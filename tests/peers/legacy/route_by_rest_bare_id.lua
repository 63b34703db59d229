-- Posts a bare id to .../store, which waits until it is sent.
-- sees: archive 1, says 2
function OnStoredInstance(instanceId, tags, metadata)
  local answer = RestApiPost('/modalities/archive/store', instanceId)
  local job = ParseJson(answer)
  print(type(job), job['RemoteAet'], job['InstancesCount'] == 1, job['FailedInstancesCount'] == 0, job['Description'])
  print(RestApiDelete('/instances/' .. instanceId))
end
