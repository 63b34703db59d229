-- Mistakes in addresses are nil, and nothing is raised.
-- sees: stored 1, says 7
function OnStoredInstance(instanceId)
  print((RestApiGet('instances/' .. instanceId)))
  print((RestApiGet('/instance/' .. instanceId)))
  print((RestApiGet('/instances/' .. tostring(nil))))
  print((RestApiGet('/instances/' .. instanceId .. '/fil')))
  print((RestApiPost('/instances', 'no DICOM')))
  print((RestApiDelete('/instances/')))
  print((RestApiPost('/tools/find', '{"Level":"Nothing","Query":{}}')))
end
