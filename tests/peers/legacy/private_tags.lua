-- Private elements have no names: they are keyed by their numbers.
-- image: @private
-- sees: stored 1, says 3
function OnStoredInstance(instanceId, tags)
  print(tags['0029,0010'], tags['0029,1010'], tags['0029,1010'] == tags['0029-1010'])
  local simple = ParseJson(RestApiGet('/instances/' .. instanceId .. '/tags?simplify'))
  for name, value in pairs(simple) do
    if tostring(value):match('^mine') then print('simplified', value) end
  end
  print(ParseJson(RestApiGet('/instances/' .. instanceId .. '/tags'))['0029,1010'].Value)
end
