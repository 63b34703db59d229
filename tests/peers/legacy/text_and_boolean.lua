-- A boolean cannot be put into a text.
-- sees: stored 1, says 2
function OnStoredInstance(instanceId, tags)
  print('sent: ' .. tostring(tags.Modality == 'CT'))
  print('sent: ' .. (tags.Modality == 'CT'))
end
