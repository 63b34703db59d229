-- Functions that call back into Lua, made safe.
--
-- Each time a C function calls back into Lua, C stack is used, and LuaJIT does not count it: a script
-- that recurses through gsub, sort, a handler of xpcall or a chain of coroutines would overflow the
-- stack of its thread and end the process. Here gsub and os.time call back from Lua instead, and the
-- others nest only so deep, as in Lua 5.3. (Plain recursion, pcall and metamethods use no C stack.)
--
-- Near the end of its Lua stack, a script's hook has no room to run. A script that catches stack
-- overflows would get past its limits: so every function that catches errors looks at the limits.
local limits = ...

local error, getmetatable, pcall, rawget, select, type = error, debug.getmetatable, pcall, rawget, select, type
local original_tostring, xpcall = tostring, xpcall
local create, resume = coroutine.create, coroutine.resume
local byte, find, gsub, sub = string.byte, string.find, string.gsub, string.sub
local concat, sort, time = table.concat, table.sort, os.time

local DEEPEST = 100
local depth = 0

local function enter()
  if depth >= DEEPEST then
    error('stack overflow: C functions and coroutines are nested too deeply', 3)
  end
  depth = depth + 1
end

local function caught(succeeded, ...)
  if not succeeded then
    limits.look()
  end
  return succeeded, ...
end

local function leave(...)
  depth = depth - 1
  return caught(...)
end

local function results(succeeded, ...)
  if succeeded then
    return ...
  end
  error((...), 0)
end

-- Catching errors -------------------------------------------------------------------------------

local base, coroutines = {}, {}

function base.pcall(f, ...)
  return caught(pcall(f, ...))
end

-- The handler of an error that a hook raised runs with hooks off, so that a looping handler could
-- never be stopped: a script's own handlers are skipped once it has passed a limit.
function base.xpcall(f, handler, ...)
  return caught(xpcall(f, function(problem)
    if limits.verdict() then
      return problem
    end
    enter()
    return results(leave(pcall(handler, problem)))
  end, ...))
end

function coroutines.create(f)
  return limits.watch(create(f))
end

function coroutines.resume(thread, ...)
  enter()
  return leave(resume(thread, ...))
end

function coroutines.wrap(f)
  local thread = coroutines.create(f)
  return function(...)
    return results(coroutines.resume(thread, ...))
  end
end

-- Calling back ----------------------------------------------------------------------------------

local function sorted(list, is_before)
  enter()
  return results(leave(pcall(sort, list, is_before)))
end

-- The place of the next match of gsub and what is to stand there; nil when there is none.
local function replacement(replace, text, first, last, ...)
  if not first then
    return nil
  end
  local whole = sub(text, first, last)
  local value
  if type(replace) == 'table' then
    value = replace[select('#', ...) > 0 and (...) or whole]
  elseif select('#', ...) > 0 then
    value = replace(...)
  else
    value = replace(whole)
  end
  if value and type(value) ~= 'string' and type(value) ~= 'number' then
    error('invalid replacement value (a ' .. type(value) .. ')', 3)
  end
  return first, last, value or whole
end

local function replace_all(text, pattern, replace, limit)
  if type(replace) ~= 'function' and type(replace) ~= 'table' then
    return gsub(text, pattern, replace, limit)
  end
  local parts, position, count = {}, 1, 0
  while count < (limit or #text + 1) do
    local first, last, value = replacement(replace, text, find(text, pattern, position))
    if not first then
      break
    end
    count = count + 1
    parts[#parts + 1] = sub(text, position, first - 1)
    parts[#parts + 1] = value
    position = last + 1
    if last < first then -- an empty match: go on behind the character after it
      parts[#parts + 1] = sub(text, first, first)
      position = first + 1
    end
    if position > #text + 1 or byte(pattern) == 94 then -- '^' matches once
      break
    end
  end
  parts[#parts + 1] = sub(text, position)
  return concat(parts), count
end

function base.tostring(...)
  local metatable = getmetatable((...))
  local describe = metatable and rawget(metatable, '__tostring')
  if describe == nil then
    return original_tostring(...)
  end
  local text = describe((...))
  if type(text) ~= 'string' then
    error("'__tostring' must return a string", 2)
  end
  return text
end

local function timestamp(date)
  if type(date) ~= 'table' then
    return time(date)
  end
  return time({
    year = date.year, month = date.month, day = date.day,
    hour = date.hour, min = date.min, sec = date.sec, isdst = date.isdst,
  })
end

return {
  base = base,
  coroutine = coroutines,
  os = { time = timestamp },
  string = { gsub = replace_all },
  table = { sort = sorted },
}, function()
  depth = 0
end
