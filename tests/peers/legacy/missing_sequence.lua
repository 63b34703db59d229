-- A sequence that is not there: the callback ends, and nothing is sent.
-- sees: stored 1, says 1
function OnStoredInstance(instanceId, tags)
  SendToModality(instanceId, 'archive')
  print(tags.ProcedureCodeSequence[1].CodeValue)
end
