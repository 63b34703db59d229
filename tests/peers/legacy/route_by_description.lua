-- Upper case, patterns and a misspelt tag that is never there.
-- image: ProtocolName=Thorax^native
-- image: ProtocolName=Localizer
-- image: ProtocolName=None
-- sees: stored 3, archive 1, says 3
function OnStoredInstance(instanceId, tags, metadata)
  local protocol = string.upper(tags['ProtocolName'] or '')
  if string.find(protocol, 'THORAX') and not string.match(protocol, 'LOCAL') then
    SendToModality(instanceId, 'archive')
  end
  print(protocol, tags.ProtcolName)
end
