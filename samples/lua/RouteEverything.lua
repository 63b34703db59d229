-- gateway: profile=sandboxed, timeout=10
--
-- Sends every instance to one destination or several. They do not wait for each other, and what
-- cannot be sent now is sent later.
--
-- In Orthanc: runs as it is.

-- What you may want to change -----------------------------------------------------------------

-- Names of tables under [destinations].
local DESTINATIONS = { 'archive', 'workstation' }

-- true: an instance is deleted here once every destination has it. Not a moment earlier.
local DELETE_AFTERWARDS = false

-- The rest ------------------------------------------------------------------------------------

function OnStoredInstance(instanceId, tags, metadata, origin)
  for _, destination in ipairs(DESTINATIONS) do
    SendToModality(instanceId, destination)
  end
  if DELETE_AFTERWARDS then
    Delete(instanceId)
  end
end
