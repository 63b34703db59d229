-- A job of another kind, with its events.
-- sees: stored 1, says 4
local mine
function OnStableStudy(studyId)
  local job = ParseJson(RestApiPost('/studies/' .. studyId .. '/archive', '{"Synchronous":false}'))
  mine = job.ID
  print('job', job.Path == '/jobs/' .. job.ID)
end
function OnJobSubmitted(id)
  if id == mine then print('submitted') end
end
function OnJobSuccess(id)
  if id ~= mine then return end
  local job = ParseJson(RestApiGet('/jobs/' .. id))
  print('success', job.Type, job.State, job.Content.InstancesCount == 1)
  print(RestApiGet('/jobs/' .. id .. '/archive'):sub(1, 2))
end
