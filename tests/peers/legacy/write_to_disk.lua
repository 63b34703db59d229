-- Writes each file below a folder named after the patient.
-- sees: stored 1, says 2
function OnStoredInstance(instanceId, tags)
  local folder = FOLDER .. '/' .. tags.PatientID
  print(os.execute('mkdir -p "' .. folder .. '"'))
  local path = folder .. '/' .. instanceId .. '.dcm'
  local target = assert(io.open(path, 'wb'))
  target:write(RestApiGet('/instances/' .. instanceId .. '/file'))
  target:close()
  local f = io.open(path, 'rb')
  print(f:seek('end') > 500, f:seek('set', 128), f:read(4))
  f:close()
end
