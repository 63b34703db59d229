-- What a filter writes into its table changes nothing.
-- sees: stored 1, says 1
function ReceivedInstanceFilter(dicom)
  dicom.PatientName = 'changed'
  dicom.Modality = nil
  return true
end
function OnStoredInstance(instanceId, tags)
  print(tags.PatientName, tags.Modality)
end
