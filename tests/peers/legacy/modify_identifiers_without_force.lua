-- Forgotten Force: nil.
-- sees: stored 1, says 4
function OnStoredInstance(instanceId, tags, metadata)
  for _, name in ipairs({ 'PatientID', 'StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID' }) do
    local request = DumpJson({ Replace = { [name] = '1.2.3.4' } }, true)
    print(name, (RestApiPost('/instances/' .. instanceId .. '/modify', request)) == nil)
  end
end
