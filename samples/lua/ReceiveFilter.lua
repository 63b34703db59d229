-- gateway: profile=sandboxed
--
-- Decides what is kept of what arrives.
--
-- Filters are asked while a sender waits: they have to be quick, and can plan nothing. One that
-- fails keeps nothing and loses nothing: the sender is told to come again.
--
-- In Orthanc: ReceivedInstanceFilter runs as it is. ReceivedCStoreInstanceFilter does so in
-- versions that act as its documentation says; 1.10.1 takes the answer the other way round.

-- What you may want to change -----------------------------------------------------------------

-- Modalities of which nothing is kept; their senders believe it was.
local UNWANTED = { PR = true, KO = true }

-- Tags without which a C-STORE is refused, so that somebody at the modality notices.
local REQUIRED = { 'PatientID', 'AccessionNumber' }
local REFUSED = 0xA900 -- data set does not match SOP class: no sender tries that again

-- The rest ------------------------------------------------------------------------------------

function ReceivedInstanceFilter(dicom, origin, info)
  return not UNWANTED[dicom.Modality]
end

function ReceivedCStoreInstanceFilter(dicom, origin, info)
  for _, name in ipairs(REQUIRED) do
    if (dicom[name] or '') == '' then
      return REFUSED
    end
  end
  return 0
end
