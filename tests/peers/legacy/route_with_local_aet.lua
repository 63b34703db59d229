-- Sends under another AE title.
-- sees: stored 1, archive 1
function OnStoredInstance(instanceId, tags, metadata)
  SendToModality(instanceId, 'archive', 'BRANCH_3')
end
