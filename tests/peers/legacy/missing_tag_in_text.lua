-- A tag that is not there cannot be put into a text.
-- sees: stored 1, says 1
function OnStoredInstance(instanceId, tags)
  SendToModality(instanceId, 'archive')
  print('station ' .. tags.StationName)
end
