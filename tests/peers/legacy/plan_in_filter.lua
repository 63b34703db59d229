-- A filter cannot plan.
-- sees: stored 1, says 1
function ReceivedInstanceFilter(dicom)
  print((pcall(SendToModality, 'some-id', 'archive')))
  return true
end
