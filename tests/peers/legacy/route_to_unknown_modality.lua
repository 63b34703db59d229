-- A name that is not in the configuration: nil, and the script goes on.
-- sees: stored 1, says 3
function OnStoredInstance(instanceId, tags, metadata)
  local answer = RestApiPost('/modalities/archiv/store', instanceId)
  if answer == nil then
    print('not sent')
  end
  print((RestApiPost('/peers/clud/store', instanceId)))
  print((RestApiGet('/modalities/archiv')))
end
