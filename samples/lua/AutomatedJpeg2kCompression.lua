-- gateway: profile=sandboxed, concurrency=2, timeout=10
--
-- Compresses every stored image to JPEG 2000 Lossless and forwards it.
--
-- To use it, copy this file into the script folder and name the receiver in gateway.toml:
--
--     [destinations.archive]
--     aet = "ARCHIVE"
--     host = "10.1.2.3"
--     port = 104
--
-- Nothing is lost on the way: the gateway decodes each result with a second library and compares
-- it with the original before anybody gets to see it.

-- What you may want to change -----------------------------------------------------------------

-- Where the images go: the name of a table under [destinations].
local DESTINATION = 'archive'

-- true: the compressed image also takes the place of the stored one, and disk space is saved.
-- false: the gateway keeps the image as it came, and only the destination gets the compressed one.
local REPLACE_STORED = false

-- What happens to an object that cannot be compressed, such as a report or an image with 32-bit
-- samples. 'keep': it is forwarded as it is. 'refuse': it is parked, and `gateway queue list` shows
-- it with the reason.
local ON_FAILURE = 'keep'

-- The rest ------------------------------------------------------------------------------------

-- Already JPEG 2000, lossless or lossy: compressing it again would gain nothing.
local IS_JPEG2000 = {
  ['1.2.840.10008.1.2.4.90'] = true,
  ['1.2.840.10008.1.2.4.91'] = true,
}

-- Called once for every instance that was stored. The calls below do nothing yet: they are written
-- down, and carried out by the gateway after this function has returned, also after a power cut.
function OnStoredInstance(instanceId, tags, metadata, origin)
  if IS_JPEG2000[metadata.TransferSyntax] then
    Forward(instanceId, DESTINATION)
    return
  end
  local compressed = Transcode(instanceId, 'JPEG2000Lossless', {
    replace = REPLACE_STORED,
    on_failure = ON_FAILURE,
  })
  Forward(compressed, DESTINATION)
end
