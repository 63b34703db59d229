-- One event fails, and the next does not.
-- image: InstanceNumber=1
-- image: InstanceNumber=2
-- sees: stored 2, archive 1, says 1
function OnStoredInstance(instanceId, tags)
  if tags.InstanceNumber == '1' then
    local length = #tags.NoSuchTag
  end
  SendToModality(instanceId, 'archive')
end
