-- Modifies over the REST interface: the answer is a file, which is uploaded.
-- sees: stored 1, says 3
function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin['RequestOrigin'] == 'Lua' then
    print('came back', tags.OperatorsName, metadata.ModifiedFrom)
    return
  end
  local request = { Replace = { OperatorsName = 'Nobody' }, Remove = { 'StationName' }, Force = true }
  local file = RestApiPost('/instances/' .. instanceId .. '/modify', DumpJson(request, true))
  print(file:sub(129, 132))
  local stored = ParseJson(RestApiPost('/instances', file))
  print(stored.Status, stored.ID ~= instanceId, RestApiDelete('/instances/' .. instanceId))
end
