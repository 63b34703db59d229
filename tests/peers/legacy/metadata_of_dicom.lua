-- The same of a C-STORE, and its origin.
-- by: dicom CT_SCANNER_1
-- sees: stored 1, says 11
function OnStoredInstance(instanceId, tags, metadata, origin)
  for _, t in ipairs({ metadata, origin }) do
    local names = {}
    for name in pairs(t) do
      if name ~= 'ReceptionDate' and name ~= 'PixelDataOffset' then names[#names + 1] = name end
    end
    table.sort(names)
    for _, name in ipairs(names) do print(name, t[name]) end
  end
end
