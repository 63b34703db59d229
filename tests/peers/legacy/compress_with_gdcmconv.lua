-- Compresses with a program of the machine, and replaces the original.
-- sees: stored 1, says 2
function OnStoredInstance(instanceId, tags, metadata, origin)
  if metadata.TransferSyntax == '1.2.840.10008.1.2.4.70' or origin.RequestOrigin == 'Lua' then
    print('is compressed', metadata.TransferSyntax)
    return
  end
  local source, target = FOLDER .. '/native.dcm', FOLDER .. '/jpeg.dcm'
  local f = assert(io.open(source, 'wb'))
  f:write(RestApiGet('/instances/' .. instanceId .. '/file'))
  f:close()
  os.execute('gdcmconv -J ' .. source .. ' ' .. target)
  f = assert(io.open(target, 'rb'))
  RestApiDelete('/instances/' .. instanceId)
  print(ParseJson(RestApiPost('/instances', f:read('*all'))).Status)
  f:close()
end
