-- Left out arguments.
-- sees: stored 2, says 2
function OnStoredInstance(instanceId, tags, metadata, origin)
  print(origin.RequestOrigin)
  if origin.RequestOrigin ~= 'Lua' then ModifyInstance(instanceId) end
end
