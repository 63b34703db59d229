-- Looks at ModifiedFrom instead of the origin.
-- sees: stored 2, says 2
function OnStoredInstance(instanceId, tags, metadata)
  print(metadata['ModifiedFrom'] == nil)
  if metadata['ModifiedFrom'] == nil then
    ModifyInstance(instanceId, { StationName = 'COPY' }, {}, true)
  end
end
