-- Asks for a failed job once more.
-- sees: stored 1, says 3
local mine, resubmitted = {}, {}
function OnStoredInstance(instanceId, tags, metadata)
  local body = { Resources = { instanceId }, Asynchronous = true }
  mine[ParseJson(RestApiPost('/modalities/broken/store', DumpJson(body, true))).ID] = true
end
function OnJobFailure(jobId)
  if not mine[jobId] then return end
  print('failed', resubmitted[jobId] or false)
  if not resubmitted[jobId] then
    resubmitted[jobId] = true
    print('again', RestApiPost('/jobs/' .. jobId .. '/resubmit', '{}'))
  end
end
