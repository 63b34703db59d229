-- What does not work is nil; we say why, which print shows.
-- sees: stored 1, says 2
function OnStoredInstance(instanceId)
  print('instance', RestApiGet('/instances/nobody'))
  print(select('#', RestApiGet('/instances/nobody')))
end
