-- A flag on the study keeps a script from doing something twice.
-- sees: stored 1, archive 1, says 2
local mine
function OnStableStudy(studyId, tags, metadata)
  local url = '/studies/' .. studyId .. '/metadata/note'
  if RestApiGet(url) == nil then
    mine = studyId
    RestApiPut(url, 'sent')
    SendToModality(ParseJson(RestApiGet('/studies/' .. studyId .. '/instances'))[1].ID, 'archive')
  end
  print(RestApiGet(url))
end
function OnUpdatedStudy(studyId)
  if studyId == mine then print('updated', studyId) end
end
