-- PrintRecursive of what has one key each, as the order of several is nobody's.
-- sees: stored 1, says 4
function OnStoredInstance(instanceId)
  PrintRecursive({ Level = { 'Study' } })
  PrintRecursive('text')
end
