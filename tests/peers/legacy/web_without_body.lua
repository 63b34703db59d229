-- Bodies that are not there, empty, or numbers.
-- sees: stored 1, web 4, says 4
function OnStoredInstance(instanceId)
  print(HttpPost(WEB .. '/echo/web_without_body'))
  print(HttpPost(WEB .. '/echo/web_without_body', ''))
  print(HttpPost(WEB .. '/echo/web_without_body', 42))
  print(HttpPut(WEB .. '/echo/web_without_body', 'text', nil))
end
