-- Initialize prepares what the events need.
-- sees: stored 1, says 1
local prepared
function Initialize()
  prepared = { count = 0, modalities = ParseJson(RestApiGet('/modalities')) }
end
function OnStoredInstance(instanceId)
  prepared.count = prepared.count + 1
  print('event', prepared.count, prepared.modalities[1])
end
