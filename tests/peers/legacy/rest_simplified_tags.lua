-- Tags of the REST interface are those of the callback.
-- image: @deep
-- sees: stored 1, says 2
function OnStoredInstance(instanceId, tags)
  local simple = ParseJson(RestApiGet('/instances/' .. instanceId .. '/simplified-tags'))
  local same, other = 0, 0
  for name, value in pairs(simple) do
    if type(value) == 'string' then
      if tags[name] == value then same = same + 1 else other = other + 1 end
    end
  end
  print(same > 10, other)
  print(simple.ReferencedStudySequence[1].ReferencedSOPSequence[1].PurposeOfReferenceCodeSequence[1].CodeMeaning)
end
