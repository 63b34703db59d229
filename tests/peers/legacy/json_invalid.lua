-- Nothing comes out of what is no JSON, and indexing nil ends the callback.
-- sees: stored 1, says 2
function OnStoredInstance(instanceId)
  local answer = ParseJson('<html>')
  print((answer))
  SendToModality(instanceId, 'archive')
  print(answer.ID)
end
