-- loadfile, dofile and load.
-- sees: stored 1, says 3
function OnStoredInstance(instanceId)
  local chunk = loadfile(FOLDER .. '/site_names.lua')
  print(chunk().short('a b'), dofile(FOLDER .. '/site_names.lua').short('c d'))
  print((loadfile(FOLDER .. '/nothing.lua')))
  print(load('return 1 + 1')(), (load('return +')))
end
