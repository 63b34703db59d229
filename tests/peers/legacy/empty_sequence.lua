-- A sequence without items, and items that are no array.
-- image: @rich
-- sees: stored 1, says 2
function OnStoredInstance(instanceId, tags)
  print(type(tags.SourceImageSequence), #tags.SourceImageSequence, tags.SourceImageSequence[1])
  local count = 0
  for _ in ipairs(tags) do count = count + 1 end
  print(count, #tags)
end
