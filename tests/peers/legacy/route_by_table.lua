-- Each image goes to all destinations of a table.
-- sees: stored 1, archive 3
local DESTINATIONS = { { name = 'archive' }, { name = 'research', aet = 'TRIAL' }, { name = 'archive', aet = 'BACKUP' } }
function OnStoredInstance(instanceId, tags, metadata)
  for i = 1, #DESTINATIONS do
    local d = DESTINATIONS[i]
    if d.aet then
      SendToModality(instanceId, d.name, d.aet)
    else
      SendToModality(instanceId, d.name)
    end
  end
end
