-- A web service says where an image goes.
-- sees: stored 1, web 1, archive 1, says 1
function OnStoredInstance(instanceId)
  local answer = HttpGet(WEB .. '/echo/web_decides?to=archive')
  local destination = answer:match('to=(%w+)')
  print(destination)
  SendToModality(instanceId, destination)
end
