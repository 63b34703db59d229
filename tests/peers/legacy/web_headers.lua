-- Headers of a GET.
-- sees: stored 1, web 1, says 1
function OnStoredInstance(instanceId)
  print(HttpGet(WEB .. '/headers?web_headers', { Authorization = 'Bearer x', Accept = 'application/json' }))
end
