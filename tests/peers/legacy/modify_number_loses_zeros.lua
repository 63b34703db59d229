-- DumpJson turns the text 0042 into the number 42, and Orthanc does not take numbers.
-- sees: stored 1, says 3
function OnStoredInstance(instanceId, tags, metadata)
  local request = { Replace = { AccessionNumber = '0042' } }
  print(DumpJson(request))
  print((RestApiPost('/instances/' .. instanceId .. '/modify', DumpJson(request))) == nil)
  print((RestApiPost('/instances/' .. instanceId .. '/modify', DumpJson(request, true))) == nil)
end
