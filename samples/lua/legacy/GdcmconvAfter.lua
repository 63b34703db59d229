-- gateway: profile=sandboxed
--
-- What GdcmconvBefore.lua does, as the gateway does it by itself. Gained is:
--
-- * No temporary files to be forgotten, no shell, and the image never passes through Lua's memory:
--   one of 4 GB is fine.
-- * The callback takes microseconds, so no event waits behind an image; codec processes compress
--   several at a time.
-- * Each result is decoded by a second library and compared before it takes the original's place.
-- * The plan survives a crash at any moment, and has no second event that has to be told apart.
-- * What cannot be compressed is sent as it is. There, `file:read` fails on a file that gdcmconv
--   has not made, and the image is never sent.

function OnStoredInstance(instanceId)
  local compressed = Transcode(instanceId, 'JPEG2000Lossless', {
    replace = true,
    on_failure = 'keep',
  })
  Forward(compressed, 'archive')
end
