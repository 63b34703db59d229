-- string.find of a tag that is not there.
-- sees: stored 1, says 1
function OnStoredInstance(instanceId, tags)
  SendToModality(instanceId, 'archive')
  if string.find(tags.BodyPartExamined, 'CHEST') then print('never') end
end
