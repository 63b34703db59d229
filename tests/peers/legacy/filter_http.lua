-- Only who knows the word may delete.
-- http: GET /studies X-Script=filter_http
-- http: DELETE /instances/nobody X-Script=filter_http
-- http: DELETE /instances/nobody X-Script=filter_http X-Word=open
-- http: GET /nowhere?a=b X-Script=filter_http
-- sees: stored 1, says 4
function IncomingHttpRequestFilter(method, uri, ip, username, httpHeaders)
  print(method, uri, ip, username, httpHeaders['x-word'], httpHeaders['X-Word'])
  return method ~= 'DELETE' or httpHeaders['x-word'] == 'open'
end
