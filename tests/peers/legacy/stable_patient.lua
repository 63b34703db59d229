-- What a patient's callback is told.
-- sees: stored 1, says 2
function OnStablePatient(patientId, tags, metadata)
  print(tags.PatientID, tags.PatientName, tags.StudyInstanceUID, patientId)
  print(ParseJson(RestApiGet('/patients/' .. patientId)).IsStable)
end
