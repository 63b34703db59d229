-- Deletes the study when it is complete; all levels are told.
-- sees: says 6
local mine = {}
function OnStableStudy(studyId, tags)
  local study = ParseJson(RestApiGet('/studies/' .. studyId))
  mine[studyId], mine[study.Series[1]], mine[study.ParentPatient] = 'study', 'series', 'patient'
  mine[ParseJson(RestApiGet('/series/' .. study.Series[1])).Instances[1]] = 'instance'
  print('deleted', (RestApiDelete('/studies/' .. studyId)))
  print('gone', (RestApiGet('/studies/' .. studyId)))
end
function OnDeletedInstance(id) if mine[id] then print('OnDeletedInstance', mine[id]) end end
function OnDeletedSeries(id) if mine[id] then print('OnDeletedSeries', mine[id]) end end
function OnDeletedStudy(id) if mine[id] then print('OnDeletedStudy', mine[id]) end end
function OnDeletedPatient(id) if mine[id] then print('OnDeletedPatient', mine[id]) end end
