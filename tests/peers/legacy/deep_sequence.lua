-- Walks down a sequence that holds sequences.
-- image: @deep
-- sees: stored 1, says 3
local function depth(t)
  local most = 0
  for _, value in pairs(t) do
    if type(value) == 'table' then most = math.max(most, depth(value)) end
  end
  return most + 1
end
function OnStoredInstance(instanceId, tags)
  print(depth(tags))
  local study = tags.ReferencedStudySequence
  print(#study, study[1].StudyDescription, study[2].StudyDescription, study[3])
  print(study[1].ReferencedSOPSequence[1].ReferencedSOPInstanceUID, study[0])
end
