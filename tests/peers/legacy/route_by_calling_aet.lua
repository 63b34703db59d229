-- Routes by who has sent the image.
-- by: dicom CT_SCANNER_1
-- sees: archive 1, says 1
function OnStoredInstance(instanceId, tags, metadata, origin)
  print(origin.RequestOrigin, origin.RemoteAet, origin.CalledAet, metadata.RemoteAET, metadata.CalledAET)
  if origin.RemoteAet == 'CT_SCANNER_1' then
    Delete(SendToModality(instanceId, 'archive'))
  end
end
