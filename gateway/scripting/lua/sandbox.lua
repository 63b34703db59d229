-- The globals of a script: a table of its own that holds what is listed here and nothing else.
--
-- The real globals stay out of reach, in both profiles: with them go ffi, the Python bridge, the C
-- loaders, the debug library, getfenv and setfenv. lupa looks up debug.traceback in the real
-- globals before every call, outside of any protection: a script that could remove it there, or
-- give the table a raising metamethod, would end the process.
--
-- Arguments: profile ('trusted' or 'sandboxed'), the limits, the functions that take the place of
-- Lua's own by library (reentry.lua, then compat.lua with bridges.lua, or lua54.lua), the chunks of
-- popen.lua, outside.lua, primitives.lua, json.lua, dump.lua, modules.lua and rehearsal.lua, and the
-- host functions. A host function answers true and its results, or false and a message; it never
-- raises.
local profile, limits, reentry, compat, popen, outside, primitives, json, dump, modules, rehearsal, host =
  ...

local error, load, pairs, rawget, select, type = error, load, pairs, rawget, select, type
local byte, gsub, sub, tostring = string.byte, string.gsub, string.sub, compat.base.tostring
local concat, getinfo, max = table.concat, debug.getinfo, math.max

local BASE = {
  '_VERSION', 'assert', 'collectgarbage', 'error', 'getmetatable', 'ipairs', 'next', 'pairs', 'rawequal',
  'rawget', 'rawlen', 'rawset', 'select', 'setmetatable', 'tonumber', 'type', 'unpack',
}
local LIBRARIES = { 'bit', 'bit32', 'coroutine', 'math', 'string', 'table', 'utf8' }
local SANDBOXED_OS = { 'clock', 'date', 'difftime', 'time' }
-- Not os.exit, which would end the gateway, nor os.setlocale, which would change how the whole
-- process reads numbers; os.execute goes through the host.
local TRUSTED_OS = { 'clock', 'date', 'difftime', 'getenv', 'remove', 'rename', 'time', 'tmpname' }

local function pick(source, names)
  local picked = {}
  for _, name in pairs(names) do
    picked[name] = source[name]
  end
  return picked
end

local function add(functions, library)
  for name, f in pairs(functions) do
    library[name] = f
  end
end

local globals = pick(_G, BASE)
globals._G = globals
for _, library in pairs(LIBRARIES) do
  globals[library] = _G[library] or library ~= 'bit' and {} or nil -- which only LuaJIT has
end
globals.string.dump = nil -- byte code is never verified: neither made nor read
globals.os = pick(os, profile == 'trusted' and TRUSTED_OS or SANDBOXED_OS)
for _, functions in pairs({ reentry, compat }) do
  for library, replacements in pairs(functions) do
    add(replacements, library == 'base' and globals or globals[library])
  end
end
globals.debug = { traceback = debug.traceback }

-- Everything about a function but the function itself.
function globals.debug.getinfo(subject, what)
  if type(subject) == 'number' then
    subject = subject + 1
  end
  local info = getinfo(subject, 'nSl')
  if info then
    info.func = nil
  end
  return info
end

-- Where the script is: the innermost frame that belongs to a file. A primitive that is called as
-- `return Forward(...)` has replaced its caller's frame: then the callback's first line.
local current_callback
local function position()
  local level, info = 2, getinfo(2, 'Sl')
  while info do
    if byte(info.source) == 64 and info.currentline > 0 then -- '@': loaded from a file
      return sub(info.source, 2) .. ':' .. info.currentline
    end
    level = level + 1
    info = getinfo(level, 'Sl')
  end
  info = current_callback and getinfo(current_callback, 'S')
  return info and sub(info.source, 2) .. ':' .. max(info.linedefined, 1) or '?'
end

local function fail(problem)
  error(position() .. ': ' .. problem, 0)
end

-- Host functions: only strings, booleans, nil and numbers cross. A table or function that Python
-- received from a coroutine is a crash once that coroutine has been collected.
local function answer(succeeded, ...)
  limits.look()
  if succeeded then
    return ...
  end
  fail((...))
end

local function ask(name, ...)
  limits.look()
  return answer(host[name](...))
end

-- Primitives ------------------------------------------------------------------------------------

add(primitives({ host.primitives() }, ask, fail, position, tostring), globals)

function globals.print(...)
  local words = { ... }
  local first = 1 -- word that is not empty: as in Orthanc, nothing stands before it
  for index = 1, select('#', ...) do
    words[index] = tostring(words[index])
    first = first == index and words[index] == '' and index + 1 or first
  end
  ask('say', concat(words, ', ', first))
end

add(json(), globals)
add(dump(tostring, globals.pairs, function(...)
  globals.print(...) -- which a script may have replaced
end), globals)

-- Loading ---------------------------------------------------------------------------------------

-- As in Lua 5.2: text only, and the script's own globals unless told otherwise.
function globals.load(chunk, name, _, environment)
  if type(chunk) == 'function' then
    local pieces = {}
    for piece in chunk do
      if piece == '' then
        break
      end
      pieces[#pieces + 1] = piece
    end
    chunk = concat(pieces)
  end
  if type(chunk) ~= 'string' then
    error('load: a string or a function expected', 2)
  end
  return load(chunk, name or chunk, 't', environment or globals)
end

function globals.loadstring(text, name)
  return globals.load(text, name)
end

local loaded = pick(globals, LIBRARIES)
loaded._G, loaded.os, loaded.debug = globals, globals.os, globals.debug
modules(globals, loaded, ask, fail, profile == 'trusted' and io.open or nil)

add(outside(ask, fail, position, limits, tostring, globals.ParseJson, profile == 'trusted'), globals)

-- What answers nil says why in a second result, and Orthanc says nothing: so in `DumpJson(ParseJson(text))`
-- or `table.insert(list, RestApiGet(uri))`, the first alone is meant.
local function heedless(f)
  return function(...)
    local first, second = ...
    if first == nil and (type(second) == 'string' or type(second) == 'table') then
      return f(nil)
    end
    return f(...)
  end
end

for _, name in pairs({ 'DumpJson', 'PrintRecursive', 'tonumber' }) do
  globals[name] = heedless(globals[name])
end

local insert = globals.table.insert
function globals.table.insert(list, ...)
  if select('#', ...) == 2 and (...) == nil then -- without a place, which is an error in any Lua
    return insert(list, nil)
  end
  return insert(list, ...)
end

if profile == 'trusted' then
  globals.io, loaded.io = io, io
  add(popen(ask, fail), io)
  debug.getmetatable(io.stdout).__metatable = false -- the __gc of files runs with hooks off

  function globals.os.exit()
    fail('os.exit is closed: it would end the whole gateway')
  end

  -- Answers what Lua 5.2 and later do: true or nil, 'exit' or 'signal', the code.
  function globals.os.execute(command)
    if command == nil then
      return true
    end
    return ask('execute', tostring(command))
  end

  local open = io.open
  function globals.loadfile(path, _, environment)
    local file, problem = open(path, 'rb')
    if not file then
      return nil, problem
    end
    local text = file:read('*a')
    file:close()
    return load(gsub(text, '^#', '--#', 1), '@' .. path, 't', environment or globals)
  end

  function globals.dofile(path)
    local chunk, problem = globals.loadfile(path)
    if not chunk then
      error(problem, 0)
    end
    return chunk()
  end

  if host.stand_in then
    rehearsal(globals.io, globals.os, ask, position)
  end
end

-- A second wall: nothing of this is reachable from a script, and nothing of it is needed any more.
for _, name in pairs({ 'python', 'ffi', 'jit', 'jit.util', 'jit.opt', 'jit.profile', 'string.buffer' }) do
  package.loaded[name], package.preload[name] = nil, nil
end
_G.python, _G.jit, _G.newproxy, package.loadlib = nil, nil, nil, nil
debug = { traceback = debug.traceback } -- the one function that lupa looks up

return globals, function(callback)
  current_callback = callback
end
