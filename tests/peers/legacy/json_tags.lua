-- All tags as JSON, deep sequences included, to a web server.
-- image: @deep
-- sees: stored 1, web 1
function OnStoredInstance(instanceId, tags)
  HttpPost(WEB .. '/echo/json_tags', DumpJson(tags, true))
end
