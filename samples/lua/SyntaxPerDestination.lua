-- gateway: profile=sandboxed, concurrency=2, timeout=10
--
-- Sends every stored instance to two places, to each in the best transfer syntax that it takes:
-- the archive gets everything without loss, as small as it can read it; the teaching collection
-- gets photographs and ultrasound as JPEG, and everything else without loss.
--
-- To use it, copy this file into the script folder and name both in gateway.toml:
--
--     [destinations.archive]
--     aet = "ARCHIVE"
--     host = "10.1.2.3"
--     port = 104
--
--     [destinations.teaching]
--     aet = "TEACHING"
--     host = "10.1.2.4"
--     port = 104
--
-- What a receiver takes is known once it answers, and what an image allows once it is looked at:
-- so a ladder of syntaxes is given, best first, and the gateway goes down it. No Transcode is
-- needed. Lossless results are decoded by a second library and compared before they are sent.

-- What you may want to change -----------------------------------------------------------------

-- 'htj2k' packs and unpacks ten times as fast as 'j2k', and few receivers know it yet. '*' is the
-- syntax in which the instance is stored.
local LOSSLESS = transcode_ladder('htj2k', 'j2k', 'jpegls', 'jpeg-lossless', '*')

-- Lossy copies get SOP Instance UIDs of their own. What JPEG cannot hold, such as reports and
-- images of more than 8 bits, goes on down the ladder.
local LOSSY = transcode_ladder('jpeg', 'j2k', '*')
local QUALITY = 85

-- Modality -> true: the teaching collection gets it with loss.
local MAY_LOSE = { US = true, XC = true, ES = true, GM = true }

-- The rest ------------------------------------------------------------------------------------

function OnStoredInstance(instanceId, tags, metadata, origin)
  Forward(instanceId, 'archive', { syntaxes = LOSSLESS })
  if MAY_LOSE[tags.Modality] then
    Forward(instanceId, 'teaching', { syntaxes = LOSSY, quality = QUALITY })
  else
    Forward(instanceId, 'teaching', { syntaxes = LOSSLESS })
  end
end
