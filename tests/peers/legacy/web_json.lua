-- Tells a hub of each image, in JSON.
-- image: AccessionNumber=A-17
-- sees: stored 1, web 1, says 1
function OnStoredInstance(instanceId, tags, metadata, origin)
  local message = { id = instanceId, accession = tags.AccessionNumber, origin = origin.RequestOrigin, list = {}, none = nil }
  local answer = HttpPost(WEB .. '/echo/web_json', DumpJson(message, true), { ['Content-Type'] = 'application/json', ['X-Count'] = '1' })
  print(#answer > 10)
end
