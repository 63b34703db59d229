-- Reads what a command writes.
-- sees: stored 1, says 3
function OnStoredInstance(instanceId)
  local handle = io.popen('printf "one\\ntwo\\n"')
  print(handle:read('*l'), handle:read('*a'))
  print(handle:close())
  for line in io.popen('echo a b'):lines() do print(line) end
end
