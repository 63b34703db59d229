-- How many setups compress today: write a file, run a program, read what it made, store that in
-- place of the original, send it. It runs here as it does in Orthanc (it needs gdcmconv); compare
-- it with GdcmconvAfter.lua.

function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin.RequestOrigin == 'Lua' then
    SendToModality(instanceId, 'archive')
    return
  end

  local uncompressed = os.tmpname()
  local compressed = uncompressed .. '.j2k'

  local file = io.open(uncompressed, 'wb')
  file:write(RestApiGet('/instances/' .. instanceId .. '/file'))
  file:close()

  os.execute('gdcmconv --j2k ' .. uncompressed .. ' ' .. compressed)

  file = io.open(compressed, 'rb')
  RestApiPost('/instances', file:read('*all'))
  file:close()

  os.remove(uncompressed)
  os.remove(compressed)
end
