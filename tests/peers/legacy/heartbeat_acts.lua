-- Looks for something to do every second.
-- sees: stored 1
local waiting = {}
function OnStoredInstance(instanceId) table.insert(waiting, instanceId) end
function OnHeartBeat()
  while #waiting > 0 do
    print('found', RestApiDelete('/instances/' .. table.remove(waiting)))
  end
end
