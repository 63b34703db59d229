-- gateway: profile=sandboxed
--
-- Who may send compressed images, decided while the association is negotiated. Whoever may not
-- decompresses and sends all the same; most modalities do so.
--
-- A family without a function here stands as under [dicom.syntaxes] of the configuration.
--
-- In Orthanc: up to version 1.8.2, as it is; later ones do not ask.

-- What you may want to change -----------------------------------------------------------------

-- AE titles of senders whose JPEG, JPEG Lossless and JPEG 2000 can be trusted.
local TRUSTED = { VNA = true, US_LAB = true }

-- The beginning of the addresses that may send SOP classes which the standard does not know.
local RESEARCH_NETWORK = '10.7.'

-- The rest ------------------------------------------------------------------------------------

function IsJpegTransferSyntaxAccepted(aet, ip)
  return TRUSTED[aet] == true
end

function IsJpegLosslessTransferSyntaxAccepted(aet, ip)
  return TRUSTED[aet] == true
end

function IsJpeg2000TransferSyntaxAccepted(aet, ip)
  return TRUSTED[aet] == true
end

function IsUnknownSopClassAccepted(aet, ip)
  return ip:sub(1, #RESEARCH_NETWORK) == RESEARCH_NETWORK
end
