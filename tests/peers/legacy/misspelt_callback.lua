-- A callback of the wrong name is never called.
-- sees: stored 1
function onStoredInstance(instanceId) print('never') end
function OnInstanceStored(instanceId) print('never') end
