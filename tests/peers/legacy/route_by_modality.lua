-- Sends CT images to the archive and everything else to research.
-- image: Modality=CT
-- image: Modality=MR
-- sees: stored 2, archive 2
function OnStoredInstance(instanceId, tags, metadata, origin)
  if tags.Modality == 'CT' then
    SendToModality(instanceId, 'archive')
  else
    SendToModality(instanceId, 'research')
  end
end
