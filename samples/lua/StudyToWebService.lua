-- gateway: timeout=60
--
-- Tells a web service of every study that is complete, as JSON by POST.
--
-- When the service cannot be reached or does not answer 2xx, the event is parked with the reason,
-- and no study is forgotten: `gateway queue retry --all` tells them again.
--
-- In Orthanc: as it is in versions that know SetHttpTimeout, which 1.10.1 does not; but an answer
-- that is an error goes unnoticed there.

-- What you may want to change -----------------------------------------------------------------

local URL = 'https://hub.example/studies'

-- The password is no business of a script: it is a variable of the gateway's environment.
local USER, PASSWORD = 'gateway', os.getenv('HUB_PASSWORD')

-- The rest ------------------------------------------------------------------------------------

-- Numbers out of JSON are fractions in Orthanc, where 1 would be told as "1.0".
local function whole(number)
  return ('%d'):format(number or 0)
end

function Initialize()
  SetHttpTimeout(20) -- seconds, for one whole request
  if PASSWORD then
    SetHttpCredentials(USER, PASSWORD)
  end
end

function OnStableStudy(studyId, tags, metadata)
  local statistics = ParseJson(RestApiGet('/studies/' .. studyId .. '/statistics') or '{}')
  -- true: '00123' stays a text. Without it, DumpJson makes the number 123 of it.
  local body = DumpJson({
    id = studyId,
    study = tags.StudyInstanceUID,
    accession = tags.AccessionNumber,
    instances = whole(statistics.CountInstances),
  }, true)
  local answer, why = HttpPost(URL, body, { ['Content-Type'] = 'application/json' })
  if not answer or why then
    error('the hub was not told: ' .. tostring(why))
  end
end
