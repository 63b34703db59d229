-- A method of a tag that is not there.
-- sees: stored 1, says 1
function OnStoredInstance(instanceId, tags)
  Delete(instanceId)
  print(tags.BodyPartExamined:upper())
end
