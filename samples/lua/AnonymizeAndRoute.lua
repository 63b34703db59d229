-- gateway: timeout=600
--
-- When a study is complete, sends an anonymised copy of it for research. The study stays; the
-- copy is deleted, instance by instance, once it has arrived.
--
-- What is removed and replaced is what DICOM's confidentiality profile says (PS3.15 Annex E), as
-- for every POST to /studies/{id}/anonymize. A study is taken as a whole, since its images refer
-- to each other.
--
-- In Orthanc: runs as it is, but a copy that could not be sent is deleted there all the same.

-- What you may want to change -----------------------------------------------------------------

local DESTINATION = 'research'

-- The new name of every patient. Without PatientID below, each copy gets a random one.
local REPLACED = { PatientName = 'Trial 7' }
local KEPT = { 'StudyDescription', 'SeriesDescription' }

-- The rest ------------------------------------------------------------------------------------

-- What a request has to answer; otherwise the event is parked with the reason.
local function answered(body, why)
  if not body then
    error(tostring(why))
  end
  return ParseJson(body)
end

function OnStableStudy(studyId, tags, metadata)
  if metadata.AnonymizedFrom then
    return -- a copy of ours
  end
  local wish = DumpJson({ Replace = REPLACED, Keep = KEPT }, true)
  local copy = answered(RestApiPost('/studies/' .. studyId .. '/anonymize', wish))
  for _, instance in ipairs(answered(RestApiGet('/studies/' .. copy.ID .. '/instances'))) do
    Delete(SendToModality(instance.ID, DESTINATION))
  end
end
