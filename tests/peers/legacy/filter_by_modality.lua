-- Discards structured reports; the sender is told that all is well.
-- by: dicom CT_SCANNER_1
-- image: Modality=SR
-- image: Modality=CT
-- sees: stored 1, says 3
function ReceivedInstanceFilter(dicom, origin, info)
  print('asked', dicom.Modality, origin.RequestOrigin, origin.RemoteAet, info.HasPixelData, info.TransferSyntaxUID)
  return dicom.Modality ~= 'SR'
end
function OnStoredInstance(instanceId, tags, metadata)
  print('stored', tags.Modality)
end
