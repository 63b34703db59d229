-- Notes on every level above an image; each level's callback is told.
-- sees: stored 1, says 1
local mine, told = {}, {}
function OnStoredInstance(instanceId)
  for level, path in pairs({ series = 'series', study = 'studies', patient = 'patients' }) do
    local id = ParseJson(RestApiGet('/instances/' .. instanceId .. '/' .. level)).ID
    mine[id] = level
    RestApiPut('/' .. path .. '/' .. id .. '/metadata/note', level)
  end
end
local function updated(id)
  if mine[id] then
    told[mine[id]] = true
    if told.series and told.study and told.patient then print('updated') end
  end
end
OnUpdatedSeries = updated
OnUpdatedStudy = updated
OnUpdatedPatient = updated
