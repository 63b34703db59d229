-- A misspelt tag: Orthanc finds out after the callback, we at its line.
-- sees: stored 1, says 1
function OnStoredInstance(instanceId)
  ModifyInstance(instanceId, { PatientNmae = 'x' }, {}, true)
  print('planned')
end
