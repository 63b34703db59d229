-- A typing mistake in a header's name: nobody may.
-- http: GET /system X-Script=filter_http_misspelt X-Token=t
-- sees: stored 1, says 1
function IncomingHttpRequestFilter(method, uri, ip, username, httpHeaders)
  print(httpHeaders.xtoken)
  return httpHeaders.xtoken == 't'
end
