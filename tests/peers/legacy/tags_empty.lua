-- Empty is not nil.
-- image: AccessionNumber=, ReferringPhysicianName=
-- sees: stored 1, says 2
function OnStoredInstance(instanceId, tags)
  print(tags.AccessionNumber == '', tags.AccessionNumber == nil, #tags.ReferringPhysicianName, tags.StudyID)
  if tags.AccessionNumber and tags.AccessionNumber ~= '' then print('never') else print('quarantine') end
end
