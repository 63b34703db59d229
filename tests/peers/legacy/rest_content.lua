-- Single elements, also those in sequences.
-- image: @deep
-- sees: stored 1, says 4
function OnStoredInstance(instanceId)
  local base = '/instances/' .. instanceId .. '/content/'
  print(RestApiGet(base .. '0010-0020'))
  print(RestApiGet(base .. 'ReferencedStudySequence/0/StudyDescription'))
  print((RestApiGet(base .. 'ReferencedStudySequence/7/StudyDescription')))
  print((RestApiGet(base .. '0008-1030')))
end
