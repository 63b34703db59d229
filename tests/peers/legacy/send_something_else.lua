-- The id of a series, and one that nobody has.
-- sees: stored 1, says 1
function OnStoredInstance(instanceId)
  SendToModality('no-id-at-all', 'archive')
  print('planned')
end
