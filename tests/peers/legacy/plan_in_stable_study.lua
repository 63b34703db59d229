-- Primitives for each image of a complete study.
-- image: InstanceNumber=1
-- image: InstanceNumber=2
-- sees: archive 2
function OnStableStudy(studyId)
  for _, instance in ipairs(ParseJson(RestApiGet('/studies/' .. studyId .. '/instances'))) do
    Delete(SendToModality(instance.ID, 'archive'))
  end
end
