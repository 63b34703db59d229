-- Reads the study of an image and what it says of itself.
-- image: StudyDate=20260131, AccessionNumber=A1
-- sees: stored 1, says 4
function OnStoredInstance(instanceId, tags)
  local study = ParseJson(RestApiGet('/instances/' .. instanceId .. '/study'))
  print(study.Type, #study.Series, study.MainDicomTags.StudyDate, study.PatientMainDicomTags.PatientID)
  local series = ParseJson(RestApiGet('/series/' .. study.Series[1]))
  print(series.Type, series.Status, #series.Instances, series.ParentStudy == study.ID, series.ExpectedNumberOfInstances)
  local patient = ParseJson(RestApiGet('/patients/' .. study.ParentPatient))
  print(patient.Type, patient.Studies[1] == study.ID, patient.MainDicomTags.PatientName)
  print((RestApiGet('/studies/' .. study.ID .. 'x')))
end
