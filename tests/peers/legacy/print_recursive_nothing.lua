-- PrintRecursive of nil, numbers and empty tables.
-- sees: stored 1, says 7
function OnStoredInstance(instanceId)
  PrintRecursive(nil)
  PrintRecursive(5)
  PrintRecursive({})
  PrintRecursive({ { { 'deep' } } }, 2, 'here')
end
