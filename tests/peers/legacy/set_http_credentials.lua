-- Credentials of every request from now on.
-- phase: 2
-- sees: stored 1, web 2, says 2
function OnStoredInstance(instanceId)
  SetHttpCredentials('gateway', 'secret')
  print(HttpGet(WEB .. '/echo/set_http_credentials'))
  print(HttpPost(WEB .. '/headers?set_http_credentials', 'x'))
end
