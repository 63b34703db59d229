-- Query filters beside other callbacks do no harm.
-- sees: stored 1, says 1
function IncomingFindRequestFilter(query, origin)
  local v = query['0010,0010']
  query['0010,0010'] = v and v:upper()
  return query
end
function IncomingWorklistRequestFilter(query, origin) return query end
function OutgoingFindRequestFilter(query, modality) return query end
function OnStoredInstance(instanceId) print('stored') end
