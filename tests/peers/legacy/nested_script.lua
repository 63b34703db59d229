-- A script sends another one to the server.
-- sees: stored 1, says 1
function OnStoredInstance(instanceId)
  print(RestApiPost('/tools/execute-script', 'local x = 1') ~= nil)
end
