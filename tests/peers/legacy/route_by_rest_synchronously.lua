-- Options as text, pasted together.
-- sees: stored 1, archive 1, says 1
function OnStoredInstance(instanceId, tags, metadata)
  local body = '{"Resources":["' .. instanceId .. '"],"Synchronous":true,"Priority":10,"LocalAet":"PASTED"}'
  local job = ParseJson(RestApiPost('/modalities/archive/store', body, false))
  print(job.LocalAet, job.ParentResources and #job.ParentResources)
end
