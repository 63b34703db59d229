-- Small helpers of the server.
-- sees: stored 1, says 3
function OnStoredInstance(instanceId)
  print(#RestApiGet('/tools/now'), RestApiGet('/tools/now'):match('^%d+T%d+$') ~= nil)
  local uid = RestApiGet('/tools/generate-uid?level=study')
  print(uid:match('^[%d%.]+$') ~= nil, #uid <= 64)
  print(ParseJson(RestApiGet('/system')).DicomAet, ParseJson(RestApiGet('/modalities'))[1])
end
