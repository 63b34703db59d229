-- A module of the site's own.
-- sees: stored 1, says 2
package.path = package.path .. ';' .. GetOrthancConfiguration().Site.Folder .. '/?.lua'
function OnStoredInstance(instanceId, tags)
  local names = require('site_names')
  print(names.short('Thorax native'), package.loaded['site_names'] == names)
  print((pcall(require, 'no_such_module')))
end
