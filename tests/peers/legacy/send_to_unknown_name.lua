-- A misspelt destination: Orthanc finds out after the callback, we at its line.
-- sees: stored 1, says 1
function OnStoredInstance(instanceId)
  SendToModality(instanceId, 'archiv')
  print('planned')
end
