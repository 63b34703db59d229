-- What all images of a study have in common.
-- image: InstanceNumber=1
-- image: InstanceNumber=2
-- sees: stored 2, says 1
function OnStableStudy(studyId)
  local shared = ParseJson(RestApiGet('/studies/' .. studyId .. '/shared-tags?simplify'))
  print(shared.PatientID, shared.InstanceNumber, shared.Rows, shared.Modality)
end
