-- Who has uploaded.
-- sees: stored 1, says 1
function OnStoredInstance(instanceId, tags, metadata, origin)
  print(origin.RequestOrigin, origin.RemoteIp, origin.Username, origin.RemoteAet, origin.CalledAet)
end
