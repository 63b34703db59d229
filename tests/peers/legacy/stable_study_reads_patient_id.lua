-- Orthanc gives a study's callback no tags of the patient: scripts fail there.
-- sees: stored 1, says 1
function OnStableStudy(studyId, tags, metadata)
  print('study of ' .. tostring(tags.PatientID))
end
