-- gateway: profile=sandboxed
--
-- Some places get nothing but what is free of the patient's identity, whichever script, job or
-- client would send it there. Asked before each C-STORE; the log tells of what was not sent.
--
-- A filter is a second lock, not the key: anonymising is the job of another script, such as
-- AnonymizeAndRoute.lua.
--
-- In Orthanc: from version 1.12.11 on, as it is.

-- What you may want to change -----------------------------------------------------------------

-- AE titles.
local ANONYMOUS_ONLY = { RESEARCH = true, TEACHING = true }

-- The rest ------------------------------------------------------------------------------------

function OutgoingCStoreInstanceFilter(dicom, destination)
  return not ANONYMOUS_ONLY[destination.RemoteAet] or dicom.PatientIdentityRemoved == 'YES'
end
