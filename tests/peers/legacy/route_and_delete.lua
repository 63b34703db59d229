-- The classic: forward what comes, and keep nothing.
-- sees: archive 1
function OnStoredInstance(instanceId, tags, metadata)
  Delete(SendToModality(instanceId, 'archive'))
end
