-- A plan that is made when another image has gone: Orthanc forgets it.
-- image: InstanceNumber=1
-- image: InstanceNumber=2
-- sees: stored 1
local first, second
function OnStoredInstance(instanceId, tags)
  if not first then
    first = instanceId
    return
  end
  second = instanceId
  RestApiDelete('/instances/' .. first)
end
function OnDeletedInstance(instanceId)
  if instanceId == first then SendToModality(second, 'archive') end
end
