-- What print makes of its arguments.
-- sees: stored 1, says 6
function OnStoredInstance(instanceId)
  print(1, nil, true, 'x', 2.5)
  print('line one\nline two')
  print()
  print(nil)
  print('', 'after nothing')
  print(string.format('%05.1f|%-6s|%d', 3.14159, 'ab', 42))
end
