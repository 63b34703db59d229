-- Posts a job, and deletes the image when the job tells that it has succeeded.
-- sees: archive 1, says 4
local waiting = {}
function OnStoredInstance(instanceId, tags, metadata)
  local body = DumpJson({ Resources = { instanceId }, Asynchronous = true, LocalAet = 'LATER' }, true)
  local job = ParseJson(RestApiPost('/modalities/archive/store', body))
  print(job.ID ~= nil, job.Path == '/jobs/' .. job.ID)
  waiting[job.ID] = instanceId
end
function OnJobSubmitted(jobId)
  local job = ParseJson(RestApiGet('/jobs/' .. jobId))
  if job.Content and job.Content.LocalAet == 'LATER' then
    print('submitted', job.Type, job.Priority == 0)
  end
end
function OnJobSuccess(jobId)
  if waiting[jobId] then
    local job = ParseJson(RestApiGet('/jobs/' .. jobId))
    print('done', job.Type, job.State, job.Progress == 100, job.Content.RemoteAet, job.Content.InstancesCount == 1,
      job.Content.ParentResources ~= nil, job.ErrorCode == 0, job.ErrorDescription)
    RestApiDelete('/instances/' .. waiting[jobId])
    print('deleted', (RestApiGet('/instances/' .. waiting[jobId])))
  end
end
