-- JSON that was written by hand, with a quote too many: sent as it is.
-- sees: stored 1, web 1
function OnStoredInstance(instanceId, tags)
  HttpPost(WEB .. '/echo/web_text_as_json', '{"id": "' .. instanceId .. '"", "rows": ' .. tags.Rows .. '}')
end
