-- Reads the last change.
-- sees: stored 1, says 2
function OnStoredInstance(instanceId)
  local changes = ParseJson(RestApiGet('/changes?last'))
  print(#changes.Changes, changes.Changes[1].Path ~= nil, changes.Done)
  print(type(changes.Last))
end
