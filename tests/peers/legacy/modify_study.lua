-- A study gets another description, and the old one goes; the job is waited for.
-- sees: stored 1, says 2
function OnStableStudy(studyId, tags, metadata)
  if tags.StudyID == 'changed' then return end
  local body = { Replace = { StudyID = 'changed' }, Keep = { 'SOPInstanceUID' }, KeepSource = false, Force = true }
  local answer = ParseJson(RestApiPost('/studies/' .. studyId .. '/modify', DumpJson(body, true)))
  print(answer.Type, answer.ID ~= studyId, answer.PatientID ~= nil)
  local study = ParseJson(RestApiGet('/studies/' .. answer.ID))
  print(study.MainDicomTags.StudyID, study.MainDicomTags.StudyDescription, study.ModifiedFrom == studyId)
end
