-- One association for a list of resources on several levels.
-- image: InstanceNumber=1
-- image: InstanceNumber=2
-- sees: stored 2, archive 3, says 1
local first
function OnStoredInstance(instanceId, tags, metadata)
  if not first then
    first = instanceId
    return
  end
  local study = ParseJson(RestApiGet('/instances/' .. instanceId .. '/study')).ID
  local body = DumpJson({ Resources = { first, study }, Level = 'Study' }, true)
  local answer = RestApiPost('/modalities/archive/store', body)
  print(ParseJson(answer).InstancesCount == 3)
end
