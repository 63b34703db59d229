-- Functions by which a script reaches outside at once: the REST interface, other servers, and what
-- the gateway keeps for it. None of them raises for what it met there: each answers nil, and why.
--
-- Arguments: functions that ask the host, that raise at the script's line, and that tell that line;
-- the limits; tostring; the reader of JSON; and whether the profile lets a script reach outside.
local ask, fail, position, limits, tostring, parse_json, is_open = ...

local concat, getmetatable, pairs, select, setmetatable = table.concat, debug.getmetatable, pairs, select, setmetatable
local type, unpack = type, unpack or table.unpack

local MOST_HEADERS = 1000
local outside = {}

-- Why something did not work. It reads well when a script prints all that it was answered.
local Failure = {}

function Failure.__tostring(failure)
  local status = failure.status
  return (type(status) == 'number' and status > 0 and tostring(status) .. ' ' or '') .. tostring(failure.error)
end

local function failed(status, problem, ...)
  local headers = {}
  for index = 1, select('#', ...), 2 do
    local name, value = select(index, ...)
    headers[name] = value
  end
  return setmetatable({ status = status, error = problem, headers = headers }, Failure)
end

local function settled(succeeded, first, ...)
  if succeeded then
    return first
  end
  return nil, failed(first, ...)
end

local function refused(signature)
  local problem = 'Bad parameters to ' .. signature
  ask('outside_refused', position(), signature)
  return nil, failed(0, problem)
end

-- A string, or a number as one; nil for everything else.
local function text(value)
  local kind = type(value)
  if kind == 'string' then
    return value
  end
  return kind == 'number' and tostring(value) or nil
end

-- Headers as name, value, name, value...; nil when a script gave something else.
local function flat(headers)
  local words, count = {}, 0
  if headers == nil or getmetatable(headers) == Failure then -- f(url, RestApiGet(...)), which failed
    return words, count
  elseif type(headers) ~= 'table' then
    return nil
  end
  for name, value in pairs(headers) do
    value = type(value) == 'boolean' and tostring(value) or text(value)
    if type(name) ~= 'string' or not value or count >= 2 * MOST_HEADERS then
      return nil
    end
    words[count + 1], words[count + 2] = name, value
    count = count + 2
  end
  return words, count
end

-- The REST interface ----------------------------------------------------------------------------

-- Orthanc insists: at most `most` arguments, a flag that is one when it is there, a body when there
-- has to be one.
local function rest(method, signature, has_body, count, uri, body, builtin, headers)
  local flag_at = has_body and 3 or 2
  local words, word_count = flat(headers)
  uri, body = text(uri), has_body and text(body) or not has_body and ''
  if not uri or not body or not words or count > flag_at + 1
    or (count >= flag_at and type(builtin) ~= 'boolean') then
    return refused(signature)
  end
  return settled(ask('rest', position(), method, uri, body, limits.room_bytes(), unpack(words, 1, word_count)))
end

function outside.RestApiGet(...)
  local uri, builtin, headers = ...
  return rest('GET', 'RestApiGet(uri, builtin, headers)', false, select('#', ...), uri, nil, builtin, headers)
end

function outside.RestApiPost(...)
  return rest('POST', 'RestApiPost(uri, body, builtin, headers)', true, select('#', ...), ...)
end

function outside.RestApiPut(...)
  return rest('PUT', 'RestApiPut(uri, body, builtin, headers)', true, select('#', ...), ...)
end

local function done(answer, why)
  if answer == nil then
    return nil, why
  end
  return true
end

function outside.RestApiDelete(...)
  local uri, builtin, headers = ...
  return done(rest('DELETE', 'RestApiDelete(uri, builtin, headers)', false, select('#', ...), uri, nil, builtin, headers))
end

-- Other servers ---------------------------------------------------------------------------------

local function http(method, signature, is_wrong, url, body, headers)
  local words, word_count = flat(headers)
  url, body = text(url), body == nil and '' or text(body)
  if is_wrong or not url or not body or not words then
    return refused(signature)
  end
  return settled(ask('http', position(), method, url, body, limits.room_bytes(), unpack(words, 1, word_count)))
end

-- As Orthanc: nil means that there was no answer; an answer that tells of an error is an empty text.
local function answer(body, why)
  if body == nil and why.status ~= 0 then
    return '', why
  elseif body == nil then
    return nil, why
  end
  return body
end

function outside.HttpGet(...)
  local url, headers = ...
  return answer(http('GET', 'HttpGet(url, headers)', select('#', ...) > 2, url, nil, headers))
end

function outside.HttpPost(...)
  return answer(http('POST', 'HttpPost(url, body, headers)', select('#', ...) > 3, ...))
end

function outside.HttpPut(...)
  return answer(http('PUT', 'HttpPut(url, body, headers)', select('#', ...) > 3, ...))
end

function outside.HttpDelete(...)
  local url, headers = ...
  local body, why = http('DELETE', 'HttpDelete(url, headers)', select('#', ...) > 2, url, nil, headers)
  if body == nil then
    return nil, why
  end
  return 'SUCCESS'
end

function outside.SetHttpTimeout(seconds)
  if type(seconds) ~= 'number' or not (seconds >= 0 and seconds < 2 ^ 31) then
    refused('SetHttpTimeout(seconds)')
  else
    ask('http_timeout', seconds)
  end
end

function outside.SetHttpCredentials(user, password)
  user, password = text(user), text(password)
  if user and password then
    ask('http_credentials', user, password)
  else
    refused('SetHttpCredentials(user, password)')
  end
end

-- What the gateway keeps ------------------------------------------------------------------------

function outside.GetOrthancConfiguration()
  return (parse_json(ask('orthanc_configuration')))
end

function outside.StoreKeyValue(store, key, value)
  store, key, value = text(store), text(key), text(value)
  if not (store and key and value) then
    return refused('StoreKeyValue(store, key, value)')
  end
  return settled(ask('store_key_value', position(), store, key, value))
end

function outside.GetKeyValue(store, key)
  store, key = text(store), text(key)
  if not (store and key) then
    return refused('GetKeyValue(store, key)')
  end
  return settled(ask('get_key_value', position(), store, key, limits.room_bytes()))
end

function outside.DeleteKeyValue(store, key)
  store, key = text(store), text(key)
  if not (store and key) then
    return refused('DeleteKeyValue(store, key)')
  end
  return settled(ask('delete_key_value', position(), store, key))
end

function outside.SetStableStatus(id, stable)
  if type(id) ~= 'string' or type(stable) ~= 'boolean' then
    return refused('SetStableStatus(id, stable)')
  end
  return settled(ask('set_stable_status', position(), id, stable))
end

if is_open then
  return outside
end

local closed = {}
for name in pairs(outside) do
  closed[name] = function()
    fail(name .. ' is not there in the sandboxed profile')
  end
end
return closed
