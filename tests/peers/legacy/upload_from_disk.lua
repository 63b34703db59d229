-- Uploads a file that lies on the disk, made from this one.
-- sees: stored 2, says 2
function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin.RequestOrigin == 'Lua' then return end
  local path = FOLDER .. '/copy.dcm'
  local f = assert(io.open(path, 'wb'))
  f:write(RestApiGet('/instances/' .. instanceId .. '/file'))
  f:close()
  print((os.execute('dcmodify -nb -gin ' .. path)))
  f = assert(io.open(path, 'rb'))
  print(ParseJson(RestApiPost('/instances', f:read('*all'))).Status)
  f:close()
end
