-- UTF-8 text goes out as it is.
-- image: @latin
-- sees: stored 1, web 2
function OnStoredInstance(instanceId, tags)
  HttpPost(WEB .. '/echo/web_text_in_many_bytes', tags.PatientName)
  HttpPost(WEB .. '/echo/web_text_in_many_bytes', DumpJson({ name = tags.PatientName }))
end
