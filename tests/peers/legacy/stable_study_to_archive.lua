-- Sends the study when it is complete, and names what was in it.
-- image: InstanceNumber=1
-- image: InstanceNumber=2
-- sees: stored 2, archive 2, says 2
function OnStableStudy(studyId, tags, metadata)
  print(tags.StudyDescription, tags.StudyInstanceUID, tags.AccessionNumber, type(metadata.LastUpdate))
  local answer = ParseJson(RestApiPost('/modalities/archive/store', studyId))
  print(answer.InstancesCount == 2)
end
