-- The archive gets every image with our name in it; the reading room gets mammographies as they
-- came. A study that is complete is told to whoever reads the log.

SENT = 0

function Initialize()
  print('routing for', GetOrthancConfiguration()['Name'])
end

function OnStoredInstance(instanceId, tags, metadata, origin)
  if origin.RequestOrigin == 'Lua' then
    return
  end

  local replace = {}
  replace['InstitutionName'] = GetOrthancConfiguration()['Name']
  Delete(SendToModality(ModifyInstance(instanceId, replace, {'OperatorsName'}, false), 'archive'))

  if tags['Modality'] == 'MG' then
    SendToModality(instanceId, 'reading')
  end
  SENT = SENT + 1
end

function OnStableStudy(studyId, tags, metadata)
  local study = ParseJson(RestApiGet('/studies/' .. studyId))
  print('complete', studyId, #study['Series'] .. ' series', SENT .. ' images sent')
end
