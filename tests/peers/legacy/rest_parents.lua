-- Upwards from an image.
-- sees: stored 1, says 3
function OnStoredInstance(instanceId)
  for _, level in ipairs({ 'series', 'study', 'patient' }) do
    local above = ParseJson(RestApiGet('/instances/' .. instanceId .. '/' .. level))
    print(level, above.ID, above.Type)
  end
end
