-- Functions of later versions: nil in Orthanc 1.10.1.
-- sees: stored 1, says 3
function OnStoredInstance(instanceId)
  print(type(SetHttpTimeout), type(SetStableStatus))
  print(type(StoreKeyValue), type(GetKeyValue), type(DeleteKeyValue))
  if StoreKeyValue then
    StoreKeyValue('site', 'last', 'x')
    print(GetKeyValue('site', 'last'), GetKeyValue('site', 'none'), DeleteKeyValue('site', 'last'), GetKeyValue('site', 'last'))
  else
    print('not there')
  end
end
