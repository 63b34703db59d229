-- Anonymises a complete study; the result is a study of its own.
-- sees: stored 2, archive 1, says 3
function OnStableStudy(studyId, tags, metadata)
  if metadata.AnonymizedFrom then
    print('anonymised', metadata.AnonymizedFrom ~= nil)
    return
  end
  local body = { Replace = { PatientID = 'anonymize_study+anon', PatientName = 'Nobody' }, Keep = { 'StudyDescription' }, Force = true }
  local answer = ParseJson(RestApiPost('/studies/' .. studyId .. '/anonymize', DumpJson(body, true)))
  print(answer.Path == '/studies/' .. answer.ID)
  print(ParseJson(RestApiPost('/modalities/archive/store', answer.ID)).InstancesCount == 1)
end
