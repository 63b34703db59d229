-- Variables of the environment, and dates.
-- sees: stored 1, says 3
function OnStoredInstance(instanceId)
  print(os.getenv('NO_SUCH_VARIABLE'), type(os.getenv('PATH')))
  print(os.date('%Y%m%d', 0), os.date('!%H:%M', 3600), type(os.time()), #os.date('%Y-%m-%d'))
  print(os.time({ year = 2026, month = 1, day = 31, hour = 12 }) - os.time({ year = 2026, month = 1, day = 30, hour = 12 }))
end
