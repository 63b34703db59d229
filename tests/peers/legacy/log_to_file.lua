-- Appends a line for each image.
-- image: InstanceNumber=1
-- image: InstanceNumber=2
-- sees: stored 2, says 1
local count = 0
function OnStoredInstance(instanceId, tags)
  local log = io.open(FOLDER .. '/images.csv', 'a')
  log:write(tags.InstanceNumber, ';', tags.Modality, '\n')
  log:close()
  count = count + 1
  if count == 2 then
    local lines = {}
    for line in io.lines(FOLDER .. '/images.csv') do table.insert(lines, line) end
    print(table.concat(lines, '|'))
  end
end
