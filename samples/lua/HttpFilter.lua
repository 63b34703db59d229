-- gateway: profile=sandboxed
--
-- Who may do what over HTTP: everybody who got in may read, some may change.
--
-- Users and passwords are in the configuration, [http.users]; here is what each may do. What this
-- filter does not let pass is answered with 403. Nobody can lock himself out for good: a change of
-- this file takes effect within a second.
--
-- In Orthanc: runs as it is.

-- What you may want to change -----------------------------------------------------------------

local MAY_CHANGE = { admin = true }

-- Paths that read although they are asked by POST.
local READING = { ['/tools/find'] = true, ['/tools/count-resources'] = true }

-- The rest ------------------------------------------------------------------------------------

function IncomingHttpRequestFilter(method, uri, ip, username, httpHeaders)
  return method == 'GET' or READING[uri] == true or MAY_CHANGE[username] == true
end
