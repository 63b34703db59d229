-- gateway: profile=sandboxed, timeout=10
--
-- Sends every instance where rules say: by its tags, and by who has sent it.
--
-- In Orthanc: runs as it is.

-- What you may want to change -----------------------------------------------------------------

-- Every rule that fits is followed, in any order. A rule fits when each tag that it names holds the
-- text, anywhere, in upper or lower case. `from` is the AE title of the sender, and has to be equal.
local RULES = {
  { to = 'mammography', Modality = 'MG' },
  { to = 'stroke', Modality = 'CT', StudyDescription = 'stroke' },
  { to = 'workstation', from = 'CT_EMERGENCY' },
}

-- Where everything goes that no rule fits. nil: nowhere; such an event is parked, and
-- `gateway queue list` shows it.
local ELSEWHERE = 'archive'

-- The rest ------------------------------------------------------------------------------------

local function holds(value, text)
  return value ~= nil and value:lower():find(text:lower(), 1, true) ~= nil
end

local function fits(rule, tags, origin)
  for name, text in pairs(rule) do
    if name == 'from' then
      if origin.RemoteAet ~= text then
        return false
      end
    elseif name ~= 'to' and not holds(tags[name], text) then
      return false
    end
  end
  return true
end

function OnStoredInstance(instanceId, tags, metadata, origin)
  local reached = {}
  for _, rule in ipairs(RULES) do
    if not reached[rule.to] and fits(rule, tags, origin) then
      reached[rule.to] = true
      SendToModality(instanceId, rule.to)
    end
  end
  if next(reached) then
    return
  end
  if not ELSEWHERE then
    error('no rule fits modality ' .. tostring(tags.Modality))
  end
  SendToModality(instanceId, ELSEWHERE)
end
