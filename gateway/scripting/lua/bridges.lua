-- Functions that LuaJIT has as well, but that act as in Lua 5.1: made to act as in Lua 5.3, the
-- language of Orthanc, where a script would get something wrong without noticing.
--
-- Arguments: what reentry.lua and compat.lua offer, by library. Returns the latter, with more in it.
local reentry, compat = ...

local error, getmetatable, rawget, select, type = error, debug.getmetatable, rawget, select, type
local original_ipairs, original_pairs, original_tonumber = ipairs, pairs, tonumber
local concat, floor = table.concat, math.floor
local find, gmatch, match, sub = string.find, string.gmatch, string.match, string.sub
local original_rep, gsub = string.rep, reentry.string.gsub

-- Walking through tables ------------------------------------------------------------------------

local base = compat.base

local function first_three(iterate, state, first)
  return iterate, state, first
end

function base.pairs(value)
  local metatable = getmetatable(value)
  local walk = metatable and rawget(metatable, '__pairs')
  if walk then
    return first_three(walk(value))
  end
  return original_pairs(value)
end

local function next_item(list, index)
  index = index + 1
  local item = list[index]
  if item ~= nil then
    return index, item
  end
end

function base.ipairs(value)
  local metatable = getmetatable(value)
  if type(value) == 'table' and metatable and rawget(metatable, '__index') then
    return next_item, value, 0
  end
  return original_ipairs(value)
end

-- Numbers ---------------------------------------------------------------------------------------

-- 'inf', 'nan' and '0b1' are numbers to LuaJIT only.
function base.tonumber(value, radix)
  local is_odd = type(value) == 'string' and not radix and find(value, '[nNbB]')
  if is_odd and not find(value, '^%s*[+-]?0[xX]') then
    return nil
  end
  return original_tonumber(value, radix)
end

local function unsigned(value)
  return value < 0 and value + 2 ^ 64 or value
end

function compat.math.ult(one, other)
  return unsigned(one) < unsigned(other)
end

function compat.math.tointeger(value)
  value = type(value) == 'string' and base.tonumber(value) or value
  return compat.math.type(value) == 'integer' and value or nil
end

-- Whole numbers are what %d and its like write; LuaJIT cuts off the rest.
local function refuse_fractions(directives, values)
  local index = 0
  for letter in gmatch(gsub(directives, '%%%%', ''), '%%[-+ #0]*%d*%.?%d*(%a)') do
    index = index + 1
    local value = values[index]
    if find(letter, '[cdiouxX]') and type(value) == 'number' and value ~= floor(value) then
      error('bad argument #' .. index + 1 .. " to 'format' (number has no integer representation)", 3)
    end
  end
end

local format = compat.string.format
function compat.string.format(directives, ...)
  local values = { ... }
  for index = 1, select('#', ...) do
    if type(values[index]) == 'number' and values[index] ~= floor(values[index]) then
      refuse_fractions(directives, values)
      break
    end
  end
  return format(directives, ...)
end

-- Text ------------------------------------------------------------------------------------------

local LONGEST_BYTES = 2 ^ 31 - 1

-- LuaJIT answers '' for what is too long.
function compat.string.rep(text, count, separator)
  if type(text) == 'string' and type(count) == 'number' then
    local piece = #text + (type(separator) == 'string' and #separator or 0)
    if piece * count > LONGEST_BYTES then
      error('resulting string too large', 2)
    end
  end
  return original_rep(text, count, separator)
end

-- The part of a pattern that begins a class, up to the first character that may end it.
local function opening(pattern, at)
  return match(pattern, '^%[%^?%]?', at)
end

-- A NUL ends a pattern for LuaJIT, which knows it as %z.
local function with_named_nul(pattern)
  local parts, at, is_class = {}, 1, false
  while at <= #pattern do
    local part = sub(pattern, at, at)
    local width = 1
    if part == '%' then
      part = sub(pattern, at, at + 1)
      width, part = #part, part == '%\0' and '%z' or part
    elseif part == '\0' and is_class and find(pattern, '^%-[^%]]', at + 1) then
      part, width = '%z\1-', 2
    elseif part == '\0' then
      part = '%z'
    elseif part == '[' and not is_class then
      part, is_class = opening(pattern, at), true
      width = #part
    elseif part == ']' then
      is_class = false
    end
    parts[#parts + 1] = part
    at = at + width
  end
  return concat(parts)
end

local function readable(pattern)
  if type(pattern) == 'string' and find(pattern, '\0', 1, true) then
    return with_named_nul(pattern)
  end
  return pattern
end

function compat.string.find(text, pattern, start, is_plain)
  return find(text, is_plain and pattern or readable(pattern), start, is_plain)
end

function compat.string.match(text, pattern, start)
  return match(text, readable(pattern), start)
end

function compat.string.gmatch(text, pattern)
  return gmatch(text, readable(pattern))
end

function compat.string.gsub(text, pattern, ...)
  return gsub(text, readable(pattern), ...)
end

compat.utf8.charpattern = '[\0-\127\194-\244][\128-\191]*'

-- Files -----------------------------------------------------------------------------------------

-- file:write() answers the file, so that calls chain.
local methods = getmetatable(io.stdout).__index
local write = methods.write

local function file_or_problem(file, succeeded, ...)
  if succeeded then
    return file
  end
  return succeeded, ...
end

function methods.write(file, ...)
  return file_or_problem(file, write(file, ...))
end

local output = io.output
function io.write(...)
  return methods.write(output(), ...)
end

return compat
