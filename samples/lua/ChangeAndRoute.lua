-- gateway: profile=sandboxed, timeout=10
--
-- Sends a changed copy of every instance that comes from outside to the archive. The original
-- stays here as it came; the copy is deleted once the archive has it.
--
-- A change of PatientID or of the UIDs of study and series is not for ModifyInstance: see
-- AnonymizeAndRoute.lua.
--
-- In Orthanc: runs as it is.

-- What you may want to change -----------------------------------------------------------------

local DESTINATION = 'archive'

-- Keyword -> the new value. Written anew for each instance, so it may be made of what was there.
local function changes(tags)
  return {
    InstitutionName = 'City Hospital',
    AccessionNumber = 'EXT' .. (tags.AccessionNumber or ''),
  }
end

local REMOVED = { 'OperatorsName', 'PerformingPhysicianName' }
local REMOVE_PRIVATE_TAGS = true

-- The rest ------------------------------------------------------------------------------------

function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin.RequestOrigin == 'Lua' then
    return -- a copy of ours: it would be copied again, and again
  end
  local copy = ModifyInstance(instanceId, changes(tags), REMOVED, REMOVE_PRIVATE_TAGS)
  Delete(SendToModality(copy, DESTINATION))
end
