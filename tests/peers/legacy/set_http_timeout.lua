-- A time-out where there is one.
-- phase: 2
-- sees: stored 1, web 1, says 1
function OnStoredInstance(instanceId)
  if SetHttpTimeout then SetHttpTimeout(5) end
  print(HttpGet(WEB .. '/echo/set_http_timeout'))
end
