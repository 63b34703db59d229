-- What scripts do with names and paths.
-- sees: stored 1, says 5
function OnStoredInstance(instanceId, tags)
  print(('Doe^Jane'):gsub('%^', '_'), ('a b  c'):gsub('%s+', '-'))
  print(('20260131'):sub(1, 4), ('x'):rep(3), ('abc'):reverse(), #('\0\0'))
  print(string.format('%-10s|%5d|%s', 'left', 42, 'nil'), ('%d items'):format(3))
  print(('key=value; other=2'):match('(%w+)=(%w+)'), ('none'):match('%d'))
  print(table.concat({ 1, 2, 3 }, ', '), (table.unpack or unpack)({ 'a', 'b' }))
end
