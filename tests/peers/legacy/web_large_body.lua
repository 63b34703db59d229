-- A megabyte goes out, and comes back.
-- sees: stored 1, web 1, says 1
function OnStoredInstance(instanceId)
  local answer = HttpPut(WEB .. '/echo/web_large_body', ('x'):rep(1048576))
  print(#answer > 1048576, answer:sub(-3))
end
