-- Beats. Orthanc 1.10.1 does not know that callback yet.
-- sees: stored 1
local beats = 0
function OnHeartBeat()
  beats = beats + 1
  if beats <= 2 then print('beat', beats) end
end
