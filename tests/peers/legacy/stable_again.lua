-- What comes later makes a study stable once more: only the first time is a flag set.
-- sees: stored 2, says 2
local times = 0
function OnStableStudy(studyId, tags)
  times = times + 1
  print('stable', times, #ParseJson(RestApiGet('/studies/' .. studyId .. '/instances')))
  if times == 1 then
    local id = ParseJson(RestApiGet('/studies/' .. studyId .. '/instances'))[1].ID
    local file = RestApiPost('/instances/' .. id .. '/modify', '{"Replace":{"StationName":"LATER"}}')
    RestApiPost('/instances', file)
  end
end
