-- Reads the server's own configuration.
-- sees: stored 1, says 2
function OnStoredInstance(instanceId)
  local c = GetOrthancConfiguration()
  print(c.Name, c.DicomAet, c.StableAge == 1, c.Site.Words[2], c.NoSuchKey, c.OverwriteInstances)
  print(c.DicomModalities.archive[1], #c.LuaScripts > 50)
end
