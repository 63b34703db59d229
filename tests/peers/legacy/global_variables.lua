-- Globals live on from event to event, also those that were meant to be local.
-- image: InstanceNumber=1
-- image: InstanceNumber=2
-- sees: stored 2, says 2
function OnStoredInstance(instanceId, tags)
  legacy_total = (legacy_total or 0) + tags.InstanceNumber
  print(legacy_total == 3, type(undefined_global))
end
