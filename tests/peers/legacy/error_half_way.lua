-- An error after a plan was made: nothing of it is done.
-- sees: stored 1, says 2
function OnStoredInstance(instanceId, tags)
  ModifyInstance(instanceId, { StationName = 'never' }, {}, true)
  Delete(SendToModality(instanceId, 'archive'))
  print('planned')
  error('something is wrong')
end
