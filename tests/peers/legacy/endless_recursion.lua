-- Recursion without an end is an error that can be caught.
-- sees: stored 1, says 2
function OnStoredInstance(instanceId)
  local function down(n) return 1 + down(n + 1) end
  local ok, why = pcall(down, 1)
  print(ok, why:match('stack overflow'))
  print('goes on')
end
