-- Later versions ask before an image is sent; Orthanc 1.10.1 does not.
-- sees: stored 1, archive 1
function OutgoingCStoreInstanceFilter(dicom, destination)
  print(destination.RemoteAet, destination.RemoteIp)
  return destination.RemoteAet ~= 'ARCHIVE'
end
function OnStoredInstance(instanceId)
  SendToModality(instanceId, 'archive')
end
