-- The same when a command fails.
-- sees: stored 0
function OnStoredInstance(instanceId)
  Delete(CallSystem(instanceId, 'false', {}))
end
