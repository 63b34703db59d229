-- Asked while associations are negotiated, up to Orthanc 1.8.2.
-- by: dicom SWITCHES
-- sees: stored 1
function IsJpeg2000TransferSyntaxAccepted(aet, ip)
  if aet == 'SWITCHES' then print('asked', aet, ip) end
  return true
end
function IsUnknownSopClassAccepted(aet, ip) return false end
function IsJpegTransferSyntaxAccepted(aet, ip) return true end
function IsJpegLosslessTransferSyntaxAccepted(aet, ip) return true end
function IsDeflatedTransferSyntaxAccepted(aet, ip) return true end
function IsRleTransferSyntaxAccepted(aet, ip) return true end
function IsJpipTransferSyntaxAccepted(aet, ip) return false end
function IsMpeg2TransferSyntaxAccepted(aet, ip) return true end
