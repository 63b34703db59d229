-- Any bytes as an attachment.
-- sees: stored 1, says 4
function OnStoredInstance(instanceId)
  local url = '/instances/' .. instanceId .. '/attachments/report'
  print(RestApiPut(url, 'a\0b\255') ~= nil)
  local back = RestApiGet(url .. '/data')
  print(#back, back:byte(1, 4))
  print(RestApiGet(url .. '/size'), RestApiGet(url .. '/md5'))
  print((RestApiDelete(url)), (RestApiGet(url .. '/data')))
end
