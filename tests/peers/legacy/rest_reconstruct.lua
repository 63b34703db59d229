-- Reads the main tags anew.
-- sees: stored 1, says 1
function OnStableStudy(studyId)
  print((RestApiPost('/studies/' .. studyId .. '/reconstruct', '{}')))
end
