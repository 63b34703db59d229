-- A table as body, a number as address: nil.
-- sees: stored 1, says 4
function OnStoredInstance(instanceId)
  print((HttpPost(WEB .. '/echo/x', { a = 1 })))
  print((HttpPost(nil, 'x')))
  print((HttpGet()))
  print((HttpGet({})))
end
