-- Puts a prefix of the site before the patient's id.
-- sees: stored 1, archive 1, says 1
function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin.RequestOrigin == 'Lua' then
    print(tags.PatientID)
    SendToModality(instanceId, 'archive')
    return
  end
  local replace = { PatientID = tags.PatientID .. '+site', PatientName = tags.PatientName }
  local body = DumpJson({ Replace = replace, Keep = { 'StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID' }, Force = true }, true)
  local modified = RestApiPost('/instances/' .. instanceId .. '/modify', body)
  if modified == nil or modified == '' then
    print('not modified')
    return
  end
  RestApiPost('/instances/', modified)
  RestApiDelete('/instances/' .. instanceId)
end
