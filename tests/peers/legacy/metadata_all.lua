-- All metadata that a callback gets from an upload.
-- sees: stored 1, says 8
function OnStoredInstance(instanceId, tags, metadata, origin)
  local names = {}
  for name in pairs(metadata) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    if name == 'ReceptionDate' then
      print(name, metadata[name]:match('^%d%d%d%d%d%d%d%dT%d%d%d%d%d%d$') ~= nil)
    elseif name ~= 'PixelDataOffset' then
      print(name, metadata[name])
    end
  end
end
