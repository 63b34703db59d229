-- Hands an image on to another server over HTTP.
-- sees: peer 1
function OnStoredInstance(instanceId, tags, metadata)
  Delete(SendToPeer(instanceId, 'cloud'))
end
