-- Servers that answer with an error: an empty text.
-- sees: stored 1, web 3, says 3
function OnStoredInstance(instanceId)
  for _, status in ipairs({ 404, 500, 503 }) do
    local answer = HttpPost(WEB .. '/status/' .. status .. '?web_answers_with_errors', 'x')
    print(status, answer and #answer)
  end
end
