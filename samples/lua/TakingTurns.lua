-- gateway: concurrency=1, timeout=10
--
-- Spreads studies over several workstations in turn. All images of a study go to the same one,
-- also those that come tomorrow, or after a restart: what goes where is kept for good.
--
-- concurrency=1, because the turn is read and then written: two at a time would take the same.
--
-- In Orthanc: from version 1.12.8 on, as it is.

-- What you may want to change -----------------------------------------------------------------

-- A new one can be added at the end at any time.
local WORKSTATIONS = { 'reading-1', 'reading-2', 'reading-3' }

-- The rest ------------------------------------------------------------------------------------

-- The name of a store keeps our keys apart from those of other scripts.
local STORE = 'taking-turns'
local LAST = 'last'

-- One after another; a value is always a string.
local function next_workstation()
  local last = tonumber(GetKeyValue(STORE, LAST) or 0)
  local number = last % #WORKSTATIONS + 1
  StoreKeyValue(STORE, LAST, tostring(number))
  return WORKSTATIONS[number]
end

local function workstation_of(studyId)
  local chosen = GetKeyValue(STORE, studyId)
  if not chosen then
    chosen = next_workstation()
    StoreKeyValue(STORE, studyId, chosen)
  end
  return chosen
end

function OnStoredInstance(instanceId, tags, metadata, origin)
  local study, why = RestApiGet('/instances/' .. instanceId .. '/study')
  if not study then
    error(tostring(why))
  end
  SendToModality(instanceId, workstation_of(ParseJson(study).ID))
end

-- What is gone needs no place to be remembered.
function OnDeletedStudy(studyId)
  DeleteKeyValue(STORE, studyId)
end
