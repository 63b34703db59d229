-- The server moves.
-- sees: stored 1, web 1, says 1
function OnStoredInstance(instanceId)
  print((HttpGet(WEB .. '/redirect/302?web_redirected')) ~= nil)
end
