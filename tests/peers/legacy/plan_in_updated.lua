-- A plan that is made when somebody has written a note: Orthanc forgets it.
-- sees: stored 1
local mine
function OnStoredInstance(instanceId)
  mine = instanceId
  RestApiPut('/instances/' .. instanceId .. '/metadata/note', 'send me')
end
function OnUpdatedInstance(instanceId)
  if instanceId == mine then SendToModality(instanceId, 'archive') end
end
