-- Labels came with later versions: nil in Orthanc 1.10.1, and kept by us.
-- sees: stored 1, says 2
function OnStableStudy(studyId)
  local url = '/studies/' .. studyId .. '/labels/urgent'
  print((RestApiPut(url, '')) ~= nil)
  print((RestApiGet('/studies/' .. studyId .. '/labels')))
end
