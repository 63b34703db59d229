-- A command for each image, before it is deleted.
-- sees: says 1
function OnStoredInstance(instanceId, tags)
  Delete(CallSystem(instanceId, 'cp', { '--target-directory', FOLDER }))
  print(type(tags))
end
