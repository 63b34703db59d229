-- A sequence as an array of tables, one in the other.
-- sees: stored 2, says 1
function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin.RequestOrigin == 'Lua' then
    local inner = tags.RequestAttributesSequence[1].ScheduledProtocolCodeSequence
    print(#inner, inner[1].CodeValue, inner[2].CodeMeaning, tags.RequestAttributesSequence[2])
    return
  end
  ModifyInstance(instanceId, {
    RequestAttributesSequence = {
      { ScheduledProcedureStepID = 'S1', ScheduledProtocolCodeSequence = { { CodeValue = 'A' }, { CodeMeaning = 'second' } } },
    },
  }, {}, false)
end
