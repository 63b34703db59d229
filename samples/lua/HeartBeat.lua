-- gateway: timeout=20
--
-- Tells a monitor, again and again, that the gateway is alive and how much it holds. A monitor
-- that raises an alarm when it hears nothing is the only one that notices a machine that is off.
--
-- How often: `heartbeat_s` under [scripts] of the configuration (LuaHeartBeatPeriod of Orthanc's);
-- without it, nothing happens. A heartbeat that fails is logged, and the next one comes.
--
-- In Orthanc: as it is in later versions than 1.10.1, which has neither heartbeats nor
-- SetHttpTimeout.

-- What you may want to change -----------------------------------------------------------------

local URL = 'https://monitor.example/beat'

-- The rest ------------------------------------------------------------------------------------

-- Numbers out of JSON are fractions in Orthanc, where 1 would be told as "1.0".
local function whole(number)
  return ('%d'):format(number or 0)
end

function Initialize()
  SetHttpTimeout(10)
end

function OnHeartBeat()
  local statistics = ParseJson(RestApiGet('/statistics') or '{}')
  local body = DumpJson({
    aet = GetOrthancConfiguration().DicomAet,
    instances = whole(statistics.CountInstances),
    megabytes = whole(statistics.TotalDiskSizeMB),
  }, true)
  local answer, why = HttpPost(URL, body, { ['Content-Type'] = 'application/json' })
  if not answer or why then
    error('the monitor was not told: ' .. tostring(why))
  end
end
