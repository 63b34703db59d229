-- An error that the script catches leaves its plan alone.
-- sees: stored 1, archive 1, says 2
function OnStoredInstance(instanceId, tags)
  SendToModality(instanceId, 'archive')
  local ok, why = pcall(function() error('mine', 0) end)
  print(ok, why)
  print(pcall(error, { code = 7 }) == false, select(2, pcall(error, { code = 7 })).code)
end
