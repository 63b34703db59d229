-- A command that is not there, and one that fails.
-- sees: stored 1, says 3
function OnStoredInstance(instanceId)
  print(os.execute('no-such-command 2>/dev/null'))
  print(os.execute('exit 3'))
  if os.execute('false') then print('never') else print('failed') end
end
