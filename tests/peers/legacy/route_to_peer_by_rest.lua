-- The same with a bare id, and with JSON.
-- sees: stored 1, peer 2, says 2
function OnStoredInstance(instanceId, tags, metadata)
  local job = ParseJson(RestApiPost('/peers/cloud/store', instanceId))
  print(job.Peer ~= nil, job.InstancesCount == 1, job.FailedInstancesCount == 0)
  job = ParseJson(RestApiPost('/peers/cloud/store', DumpJson({ Resources = { instanceId }, Synchronous = true })))
  print(job.InstancesCount == 1)
end
