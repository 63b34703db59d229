-- Functions that never existed.
-- sees: stored 1, says 1
function OnStoredInstance(instanceId)
  SendToModality(instanceId, 'archive')
  PrintToLog('stored ' .. instanceId)
end
