-- Lets many legacy scripts live side by side in one state: each was loaded as a file of LuaScripts,
-- and its callbacks are called for its own images alone. Loaded before the first of them.
local site = GetOrthancConfiguration().Site
WEB, FOLDER = site.Web, site.Folder

local CALLBACKS = {
  'ReceivedInstanceFilter', 'IncomingHttpRequestFilter', 'OutgoingCStoreInstanceFilter',
  'IncomingFindRequestFilter', 'IncomingWorklistRequestFilter', 'OutgoingFindRequestFilter',
  'IsDeflatedTransferSyntaxAccepted', 'IsJpegTransferSyntaxAccepted', 'IsJpeg2000TransferSyntaxAccepted',
  'IsJpegLosslessTransferSyntaxAccepted', 'IsJpipTransferSyntaxAccepted', 'IsMpeg2TransferSyntaxAccepted',
  'IsRleTransferSyntaxAccepted', 'IsUnknownSopClassAccepted', 'OnStoredInstance', 'OnStableSeries',
  'OnStableStudy', 'OnStablePatient', 'OnDeletedInstance', 'OnDeletedSeries', 'OnDeletedStudy',
  'OnDeletedPatient', 'OnUpdatedInstance', 'OnUpdatedSeries', 'OnUpdatedStudy', 'OnUpdatedPatient',
  'OnJobSubmitted', 'OnJobSuccess', 'OnJobFailure', 'OnHeartBeat', 'Initialize', 'Finalize',
}
local scripts, order, running = {}, {}, nil
local log = print

-- What a script prints has its name before it.
function print(...)
  if running then
    log(running, ...)
  else
    log(...)
  end
end

-- Called after each script: takes its callbacks out of the way of the next one.
function legacy_keep(name)
  scripts[name] = {}
  order[#order + 1] = name
  for _, callback in ipairs(CALLBACKS) do
    scripts[name][callback] = _G[callback]
    _G[callback] = nil
  end
end

local function call(name, callback, ...)
  running = name
  local succeeded, result = pcall(scripts[name][callback], ...)
  if not succeeded then
    print('FAILED')
  end
  running = nil
  if not succeeded then
    error(result, 0)
  end
  return result
end

-- The script that an image or a resource belongs to, if it has that callback. What scripts make of
-- a patient keeps the name before a plus.
local function owner(text, callback)
  local name = text and text:match('^[^+]*')
  return scripts[name] and scripts[name][callback] and name
end

local function by_owner(callback, name_of)
  _G[callback] = function(id, tags, ...)
    local name = owner(name_of(tags), callback)
    if name then
      call(name, callback, id, tags, ...)
    end
  end
end

local function by_all(callback)
  _G[callback] = function(...)
    for _, name in ipairs(order) do
      if scripts[name][callback] then
        call(name, callback, ...)
      end
    end
  end
end

-- Asked only for the script that has it; for all others the answer is as if it was not there.
local function by_the_only_one(callback)
  _G[callback] = function(...)
    for _, name in ipairs(order) do
      if scripts[name][callback] then
        return call(name, callback, ...)
      end
    end
  end
end

-- Called after the last script.
function legacy_begin()
  by_owner('OnStoredInstance', function(tags) return tags.PatientID end)
  by_owner('OnStableSeries', function(tags) return tags.SeriesDescription end)
  by_owner('OnStableStudy', function(tags) return tags.StudyDescription end)
  by_owner('OnStablePatient', function(tags) return tags.PatientID end)
  for _, callback in ipairs(CALLBACKS) do
    if callback:match('^OnDeleted') or callback:match('^OnUpdated') or callback:match('^OnJob')
      or callback == 'OnHeartBeat' or callback:match('alize$') then
      by_all(callback)
    elseif callback:match('^Is') then
      by_the_only_one(callback)
    end
  end

  function ReceivedInstanceFilter(dicom, ...)
    local name = owner(dicom.PatientID, 'ReceivedInstanceFilter')
    return not name or call(name, 'ReceivedInstanceFilter', dicom, ...)
  end

  function OutgoingCStoreInstanceFilter(dicom, ...)
    local name = owner(dicom.PatientID, 'OutgoingCStoreInstanceFilter')
    return not name or call(name, 'OutgoingCStoreInstanceFilter', dicom, ...)
  end

  function IncomingHttpRequestFilter(method, uri, ip, username, headers)
    local name = owner(headers['x-script'], 'IncomingHttpRequestFilter')
    return not name or call(name, 'IncomingHttpRequestFilter', method, uri, ip, username, headers)
  end
end
