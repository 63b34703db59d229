-- What failed is handed straight to another function.
-- sees: stored 1, web 1, says 10
function OnStoredInstance(instanceId)
  print((ParseJson(RestApiGet('/instances/nobody'))))
  print((DumpJson(RestApiGet('/instances/nobody'))))
  print((DumpJson(ParseJson('rubbish'))))
  PrintRecursive(ParseJson('rubbish'))
  PrintRecursive(RestApiGet('/instances/nobody'))
  print(tostring(RestApiGet('/instances/nobody')), type(HttpGet('http://127.0.0.1:1/')))
  local answers = {}
  table.insert(answers, RestApiGet('/instances/nobody'))
  table.insert(answers, RestApiGet('/instances/' .. instanceId .. '/metadata/IndexInSeries'))
  print(#answers, answers[1])
  print(tonumber(RestApiGet('/instances/' .. instanceId .. '/metadata/IndexInSeries')) == 1)
  print((tonumber(RestApiGet('/instances/nobody'))))
  print(HttpPost(WEB .. '/echo/answers_in_answers', RestApiGet('/instances/nobody')))
end
