-- Tells a web service which series is complete.
-- image: InstanceNumber=1
-- image: InstanceNumber=2
-- sees: stored 2, web 1, says 1
function OnStableSeries(seriesId, tags, metadata)
  local series = ParseJson(RestApiGet('/series/' .. seriesId))
  local body = { uid = tags.SeriesInstanceUID, modality = tags.Modality, count = #series.Instances, status = series.Status }
  print((HttpPost(WEB .. '/echo/stable_series_to_web', DumpJson(body), { ['Content-Type'] = 'application/json' })))
end
