-- io.open answers nil and why; writing into a folder that is not there ends the callback.
-- sees: stored 1, says 3
function OnStoredInstance(instanceId)
  print(io.open('/nowhere/at/all.dcm', 'rb'))
  print(os.remove('/nowhere/at/all.dcm'))
  local f = io.open('/nowhere/at/all.dcm', 'wb')
  f:write('x')
end
