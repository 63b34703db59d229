-- Keys are case sensitive, and are not numbers.
-- sees: stored 1, says 2
function OnStoredInstance(instanceId, tags, metadata, origin)
  print(tags.patientname, tags['0010,0010'], tags.PatientsName, tags[1], tags.SopInstanceUid)
  print(metadata.RemoteAet, metadata.TransferSyntaxUID, origin.RemoteAET, origin.remoteAet, origin.AET)
end
