-- An answer with every byte is kept in a file.
-- sees: stored 1, web 1, says 1
function OnStoredInstance(instanceId)
  local answer = HttpGet(WEB .. '/binary?web_binary_answer')
  local name = FOLDER .. '/answer.bin'
  local out = io.open(name, 'wb')
  out:write(answer)
  out:close()
  local back = io.open(name, 'rb'):read('*a')
  print(#answer, back == answer, answer:byte(1), answer:byte(256))
end
