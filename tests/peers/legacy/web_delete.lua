-- Deletes something on a server. Comes last: Orthanc's next request fails after it.
-- phase: 2
-- sees: stored 1, web 1, says 1
function OnStoredInstance(instanceId)
  print(HttpDelete(WEB .. '/echo/web_delete'))
end
