-- Deletes by plan and at once.
-- sees: says 1
function OnStoredInstance(instanceId)
  Delete(instanceId)
  Delete(instanceId)
  print(RestApiDelete('/instances/' .. instanceId))
end
