-- The same file comes back with another slash.
-- sees: stored 1, says 3
local again
function OnStoredInstance(instanceId, tags, metadata, origin)
  print(origin.RequestOrigin, metadata.Origin)
  if origin.RequestOrigin == 'Lua' then return end
  local file = RestApiGet('/instances/' .. instanceId .. '/file')
  RestApiDelete('/instances/' .. instanceId)
  print(ParseJson(RestApiPost('/instances/', file)).Status)
end
