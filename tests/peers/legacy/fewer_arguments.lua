-- Scripts that take less than they are given, and one argument too many.
-- sees: stored 1, says 1
function OnStoredInstance(instanceId, tags, metadata, origin, nothing)
  local function short(id) return id end
  print(short(instanceId, tags) == instanceId, nothing)
end
