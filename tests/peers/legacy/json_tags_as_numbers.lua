-- The same as most scripts do it: numbers come out of texts.
-- image: @deep
-- sees: stored 1, web 1
function OnStoredInstance(instanceId, tags)
  HttpPost(WEB .. '/echo/json_tags_as_numbers', DumpJson(tags))
end
