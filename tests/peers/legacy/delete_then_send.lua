-- The wrong order: what is deleted cannot be sent.
-- sees: says 1
function OnStoredInstance(instanceId)
  Delete(instanceId)
  SendToModality(instanceId, 'archive')
  print('planned')
end
