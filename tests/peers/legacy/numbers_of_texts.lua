-- Arithmetic on texts works, comparison does not.
-- image: InstanceNumber=7
-- sees: stored 1, says 4
function OnStoredInstance(instanceId, tags)
  print(tonumber(tags.Rows) * 2, tonumber('1.50'), tonumber(''), tonumber('12a'), tonumber('0x10'))
  print(tags.InstanceNumber == 7, tags.InstanceNumber == '7', tonumber(tags.InstanceNumber) > 5)
  SendToModality(instanceId, 'archive')
  print('compared')
  if tags.InstanceNumber > 5 then print('never') end
end
