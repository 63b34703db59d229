-- Posts the whole file.
-- sees: stored 1, web 1
function OnStoredInstance(instanceId)
  local file = RestApiGet('/instances/' .. instanceId .. '/file')
  HttpPost(WEB .. '/echo/web_file', file:sub(1, 132), { ['Content-Type'] = 'application/dicom' })
end
