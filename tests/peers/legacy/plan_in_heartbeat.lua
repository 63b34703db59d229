-- A plan that is made by a heartbeat, which belongs to no image.
-- sees: stored 1
local waiting = {}
function OnStoredInstance(instanceId) table.insert(waiting, instanceId) end
function OnHeartBeat()
  for _, id in ipairs(waiting) do Delete(SendToModality(id, 'archive')) end
  waiting = {}
end
