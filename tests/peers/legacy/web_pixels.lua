-- Binary bytes survive the way through Lua.
-- sees: stored 1, web 1, says 1
function OnStoredInstance(instanceId)
  local pixels = RestApiGet('/instances/' .. instanceId .. '/content/7fe0-0010/0')
  HttpPut(WEB .. '/echo/web_pixels', pixels)
  print(#pixels, pixels:byte(1, 4))
end
