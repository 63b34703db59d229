-- A JSON document about a whole study, with what its instances say.
-- image: InstanceNumber=2
-- image: InstanceNumber=1
-- sees: stored 2, web 1
function OnStableStudy(studyId, tags, metadata)
  local numbers = {}
  for _, instance in ipairs(ParseJson(RestApiGet('/studies/' .. studyId .. '/instances'))) do
    table.insert(numbers, instance.MainDicomTags.InstanceNumber)
  end
  table.sort(numbers)
  local body = { study = tags.StudyInstanceUID, numbers = numbers }
  HttpPost(WEB .. '/echo/web_in_stable_study', DumpJson(body, true), { ['Content-Type'] = 'application/json' })
end
