-- Replaces the original by a corrected copy.
-- image: InstitutionName=Wrng
-- sees: stored 1, says 2
function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin['RequestOrigin'] == 'Lua' then
    print('corrected', tags.InstitutionName, metadata.ModifiedFrom ~= nil, metadata.Origin, origin.RemoteAet)
    return
  end
  print('original', tags.InstitutionName)
  ModifyInstance(instanceId, { InstitutionName = 'Hospital' }, {}, false)
  Delete(instanceId)
end
