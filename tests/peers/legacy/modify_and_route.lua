-- Hides a name, sends the result, and keeps the original alone.
-- image: PatientBirthDate=19700101
-- sees: stored 1, archive 1
function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin.RequestOrigin ~= 'Lua' then
    local replace = { ['PatientName'] = 'hidden', ['0008-1010'] = 'STATION' }
    local remove = { 'PatientBirthDate' }
    Delete(SendToModality(ModifyInstance(instanceId, replace, remove, true), 'archive'))
  end
end
