-- Anonymises one image and sends it; the id tells whose it was.
-- image: PatientBirthDate=19700101, InstitutionName=Hospital, OperatorsName=Somebody
-- sees: stored 2, archive 1, says 2
function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin.RequestOrigin == 'Lua' then
    print(tags.PatientName, tags.PatientIdentityRemoved, tags.PatientBirthDate, tags.InstitutionName, tags.OperatorsName)
    SendToModality(instanceId, 'archive')
    return
  end
  local options = { Replace = { PatientID = tags.PatientID .. '+anon', PatientName = 'Nobody' }, Keep = { 'StudyDescription' }, Force = true }
  local file = RestApiPost('/instances/' .. instanceId .. '/anonymize', DumpJson(options, true))
  print(ParseJson(RestApiPost('/instances', file)).Status)
end
