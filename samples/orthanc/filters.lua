-- Nothing is kept of the presentation states that the old workstation sends with every image.

function ReceivedInstanceFilter(dicom, origin)
  return dicom.Modality ~= 'PR'
end
