-- Takes over what a client has asked to be sent, and what could not be sent.
--
-- What scripts send is tried again until it arrives. A client that posts to
-- /modalities/{name}/store gets one attempt: its job fails when the modality is down. Then this
-- script plans the same sending anew, as a plan of its own, with all retries: `gateway queue list`
-- shows what waits. The job of the client stays a failed one.
--
-- In Orthanc: plans are not tried again there, nor do they know studies. Use
-- RestApiPost('/jobs/' .. jobId .. '/resubmit', '') in place of the loop.

-- The name of the modality with an AE title.
local function modality_of(aet)
  for name, modality in pairs(ParseJson(RestApiGet('/modalities?expand') or '{}')) do
    if modality.AET == aet then
      return name
    end
  end
  error('no modality has the AE title ' .. tostring(aet))
end

function OnJobFailure(jobId)
  local job = ParseJson(RestApiGet('/jobs/' .. jobId) or 'null')
  if not job or job.Type ~= 'DicomModalityStore' then
    return
  end
  local modality = modality_of(job.Content.RemoteAet)
  for _, resource in ipairs(job.Content.ParentResources or {}) do
    print('taking over from job', jobId, resource, modality)
    SendToModality(resource, modality) -- an instance, or all of a series, study or patient
  end
end
