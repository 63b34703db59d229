-- All tags that a callback gets, in order of their names.
-- image: @rich
-- sees: stored 1, says 32
function OnStoredInstance(instanceId, tags)
  local names = {}
  for name in pairs(tags) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    print(name, type(tags[name]) == 'table' and #tags[name] or tags[name])
  end
end
