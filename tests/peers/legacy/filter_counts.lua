-- The filter's variables live on, and are not those of the events.
-- image: InstanceNumber=1
-- image: InstanceNumber=2
-- image: InstanceNumber=3
-- sees: stored 2, says 4
local count = 0
function ReceivedInstanceFilter(dicom)
  count = count + 1
  print('filter', count)
  return count ~= 2
end
function OnStoredInstance(instanceId, tags)
  if tags.InstanceNumber == '3' then print('event', count) end
end
