-- When the first destination cannot be reached, the second gets the image.
-- sees: stored 1, archive 1, says 2
local jobs = {}
function OnStoredInstance(instanceId, tags, metadata)
  local answer = RestApiPost('/modalities/broken/store', '{"Resources":["' .. instanceId .. '"],"Asynchronous":true}')
  jobs[ParseJson(answer)['ID']] = instanceId
end
function OnJobFailure(jobId)
  if jobs[jobId] == nil then return end
  local job = ParseJson(RestApiGet('/jobs/' .. jobId))
  print(job['Type'], job['State'], job['ErrorCode'] == 9, job['ErrorDescription'], job['Content']['RemoteAet'])
  if job['Type'] == 'DicomModalityStore' then
    print(RestApiPost('/modalities/archive/store', jobs[jobId]) ~= nil)
  end
end
