-- The study as a ZIP file.
-- sees: stored 1, says 1
function OnStableStudy(studyId)
  local zip = RestApiGet('/studies/' .. studyId .. '/archive')
  print(zip:sub(1, 2), #zip > 500)
end
