-- A table that lives as long as the server: only the first image of a series is sent.
-- image: InstanceNumber=1
-- image: InstanceNumber=2
-- image: InstanceNumber=3
-- sees: stored 3, archive 1, says 3
local seen = {}
function OnStoredInstance(instanceId, tags, metadata)
  local series = tags.SeriesInstanceUID
  seen[series] = (seen[series] or 0) + 1
  print(seen[series], tags.InstanceNumber, metadata.IndexInSeries)
  if seen[series] == 1 then
    SendToModality(instanceId, 'archive')
  end
end
