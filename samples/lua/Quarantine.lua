-- gateway: timeout=10
--
-- Sends what is as it should be to the archive, and holds back the rest until somebody looks at it.
--
-- What is held back stays in the store. Its study gets the label 'quarantine', and the instance the
-- reason as metadata:
--
--     curl http://localhost:8042/tools/find -d '{"Level": "Study", "Query": {},
--                                                "Labels": ["quarantine"], "Expand": true}'
--
-- Whoever mends it makes new instances, which come by here like those of a modality, and pass:
--
--     curl http://localhost:8042/patients/{id}/modify -d '{"Replace": {"PatientID": "123456"},
--                                                          "Force": true, "KeepSource": false}'
--
-- In Orthanc: from version 1.12 on, which knows labels, as it is.

-- What you may want to change -----------------------------------------------------------------

local DESTINATION = 'archive'
local LABEL = 'quarantine'

-- The number of the metadata for the reason, 1024 to 65535; UserMetadata (rest.user_metadata) can
-- give it a name.
local REASON = '1030'

-- Tag -> the pattern that its whole value has to match; %d is a digit, + one or more.
local EXPECTED = {
  PatientID = '%d%d%d%d%d%d+',
  AccessionNumber = '[A-Z]%d+',
  StudyDate = '%d%d%d%d%d%d%d%d',
}

-- The rest ------------------------------------------------------------------------------------

-- What is wrong, or nil. The names of the tags only: their values are the patient's.
local function problem_of(tags)
  local wrong = {}
  for name, pattern in pairs(EXPECTED) do
    if not (tags[name] or ''):find('^' .. pattern .. '$') then
      wrong[#wrong + 1] = name
    end
  end
  table.sort(wrong)
  return wrong[1] and 'unexpected: ' .. table.concat(wrong, ', ')
end

local function answered(body, why)
  return body or error(tostring(why))
end

function OnStoredInstance(instanceId, tags, metadata, origin)
  local problem = problem_of(tags)
  if not problem then
    SendToModality(instanceId, DESTINATION)
    return
  end
  local study = ParseJson(answered(RestApiGet('/instances/' .. instanceId .. '/study'))).ID
  answered(RestApiPut('/instances/' .. instanceId .. '/metadata/' .. REASON, problem))
  answered(RestApiPut('/studies/' .. study .. '/labels/' .. LABEL, ''))
  print('in quarantine', instanceId, problem)
end
