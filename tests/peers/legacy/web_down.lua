-- Nobody listens: nil, and the event is done all the same.
-- sees: stored 1, archive 1, says 2
function OnStoredInstance(instanceId)
  local ok, answer = pcall(HttpPost, 'http://127.0.0.1:1/hub', 'x')
  print(ok, answer)
  print((HttpGet('http://127.0.0.1:1/hub')))
  SendToModality(instanceId, 'archive')
end
