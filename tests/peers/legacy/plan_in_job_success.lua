-- A plan that is made when a job has succeeded: Orthanc forgets it.
-- sees: stored 1, archive 1
local jobs = {}
function OnStoredInstance(instanceId)
  local body = '{"Resources":["' .. instanceId .. '"],"Asynchronous":true}'
  jobs[ParseJson(RestApiPost('/modalities/archive/store', body)).ID] = instanceId
end
function OnJobSuccess(jobId)
  if jobs[jobId] then Delete(SendToModality(jobs[jobId], 'research', 'SECOND')) end
end
