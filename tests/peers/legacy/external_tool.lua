-- Changes a file with dcmodify, uploads the result and deletes the original.
-- sees: stored 1, says 4
function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin.RequestOrigin == 'Lua' then
    print('changed', tags.StationName, tags.SOPInstanceUID ~= nil)
    return
  end
  local path = FOLDER .. '/' .. instanceId .. '.dcm'
  local f = io.open(path, 'wb')
  f:write(RestApiGet('/instances/' .. instanceId .. '/file'))
  f:close()
  print(os.execute('dcmodify -nb -ie -i "StationName=TOOL" -gin ' .. path))
  f = io.open(path, 'rb')
  local uploaded = ParseJson(RestApiPost('/instances', f:read('*all')))
  f:close()
  print(os.remove(path), uploaded.Status, uploaded.ID ~= instanceId)
  print((RestApiDelete('/instances/' .. instanceId)))
end
