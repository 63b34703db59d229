-- Several values come joined by a backslash.
-- image: ImageType=ORIGINAL|PRIMARY|AXIAL
-- image: ImageType=DERIVED|SECONDARY
-- sees: stored 2, archive 1, says 2
local function split(text, separator)
  local parts = {}
  for part in string.gmatch(text, '([^' .. separator .. ']+)') do
    table.insert(parts, part)
  end
  return parts
end

function OnStoredInstance(instanceId, tags, metadata)
  local types = split(tags.ImageType, '\\')
  print(#types, types[1], tags.ImageType)
  if types[1] == 'ORIGINAL' and types[2] == 'PRIMARY' then
    SendToModality(instanceId, 'archive')
  end
end
