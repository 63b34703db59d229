-- gateway: timeout=10
--
-- Writes every instance as a file: FOLDER/modality/date/study/instance.dcm.
--
-- The copying is a step like any other: it is done after the callback, also after a crash, and of
-- files of any size. One that fails, because the disk is full, is parked: `gateway queue list`.
-- The names are UIDs, since names of patients do not belong into names of files.
--
-- In Orthanc: runs as it is.

-- What you may want to change -----------------------------------------------------------------

local FOLDER = '/srv/dicom'

-- The rest ------------------------------------------------------------------------------------

-- $1: folder, $2: name, $3: the copy of the instance that the gateway hands over. The file gets its
-- name when it is whole. What comes from an image is an argument here, and never part of the command.
local COPY = 'mkdir -p "$1" && cp "$3" "$1/.$2" && mv "$1/.$2" "$1/$2"'

-- Fit to be the name of a file, whatever an image holds: '../../etc' must not lead anywhere.
local function name_of(text)
  if (text or '') == '' then
    return 'unknown'
  end
  return (text:gsub('[^%w.-]', '_'):gsub('^%.', '_'))
end

function OnStoredInstance(instanceId, tags, metadata, origin)
  local folder = table.concat({
    FOLDER, name_of(tags.Modality), name_of(tags.StudyDate), name_of(tags.StudyInstanceUID),
  }, '/')
  CallSystem(instanceId, 'sh', { '-c', COPY, 'sh', folder, name_of(tags.SOPInstanceUID) .. '.dcm' })
end
