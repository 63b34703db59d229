-- Notes on an image, by number and by name; its callback is told.
-- sees: stored 1, says 8
local mine
function OnStoredInstance(instanceId, tags, metadata)
  mine = instanceId
  print((RestApiPut('/instances/' .. instanceId .. '/metadata/note', 'seen')))
  print((RestApiPut('/instances/' .. instanceId .. '/metadata/1025', 'by number')))
  print(RestApiGet('/instances/' .. instanceId .. '/metadata/note'), (RestApiGet('/instances/' .. instanceId .. '/metadata/nope')))
  print((RestApiPut('/instances/' .. instanceId .. '/metadata/unknown', 'x')))
  print((RestApiDelete('/instances/' .. instanceId .. '/metadata/1025')))
end
function OnUpdatedInstance(instanceId)
  if instanceId == mine then print('updated') end
end
