-- A destination that is put while the server runs.
-- sees: stored 1, archive 1, says 3
function OnStoredInstance(instanceId)
  local known = ParseJson(RestApiGet('/modalities/archive/configuration'))
  print(known.AET, known.Host, known.Manufacturer)
  RestApiPut('/modalities/copy', DumpJson({ AET = 'COPY', Host = '127.0.0.1', Port = known.Port }))
  print(ParseJson(RestApiPost('/modalities/copy/store', instanceId)).RemoteAet)
  print((RestApiDelete('/modalities/copy')), (RestApiGet('/modalities/copy')))
end
