-- What a callback answers, made fit to leave Lua: a kind ('scalar', 'table') and one value. A table
-- leaves as JSON text, for tables themselves never cross (see sandbox.lua).
--
-- It runs within the callback's limits. Metatables are passed over: no script runs from here.

local error, floor, next, rawget, type = error, math.floor, next, rawget, type
local byte, concat, format, gsub = string.byte, table.concat, string.format, string.gsub

local MOST_BYTES = 16 * 1024 * 1024
local DEEPEST = 50 -- nobody nests deeper; a table in itself would go on for ever

local function refuse(what)
  error('a callback must not answer ' .. what)
end

-- Beyond 2^53 a double skips whole numbers, and Python's conversion of huge ones is undefined.
local function number(value)
  if not (value > -2 ^ 53 and value < 2 ^ 53) then
    refuse('a number that is not between -2^53 and 2^53')
  end
  return value
end

local function text(value)
  if #value > MOST_BYTES then
    refuse('more than 16 MB')
  end
  return value
end

local function escaped(character)
  return format('\\u%04x', byte(character))
end

local function quoted(value)
  return '"' .. gsub(value, '[%z\1-\31"\\\127]', escaped) .. '"'
end

local function name(key)
  if type(key) == 'number' then
    return format('%.14g', key)
  elseif type(key) ~= 'string' then
    refuse('a table with a key that is a ' .. type(key))
  end
  return key
end

-- How long the array is that a table is; nil when it is none.
local function length(value)
  local count = 0
  for key in next, value do
    if type(key) ~= 'number' or key < 1 or key ~= floor(key) then
      return nil
    end
    count = count + 1
  end
  return count > 0 and rawget(value, count) ~= nil and count or nil
end

local write

local function write_array(value, count, pieces, depth)
  pieces[#pieces + 1] = '['
  for index = 1, count do
    pieces[#pieces + 1] = index > 1 and ',' or ''
    write(rawget(value, index), pieces, depth)
  end
  pieces[#pieces + 1] = ']'
end

local function write_object(value, pieces, depth)
  local separator = '{'
  for key, item in next, value do
    pieces[#pieces + 1] = separator .. quoted(name(key)) .. ':'
    write(item, pieces, depth)
    separator = ','
  end
  pieces[#pieces + 1] = separator == '{' and '{}' or '}'
end

function write(value, pieces, depth)
  local kind = type(value)
  if kind == 'string' then
    pieces[#pieces + 1] = quoted(text(value))
  elseif kind == 'number' then
    pieces[#pieces + 1] = format('%.17g', number(value))
  elseif kind == 'boolean' or kind == 'nil' then
    pieces[#pieces + 1] = value == nil and 'null' or value and 'true' or 'false'
  elseif kind ~= 'table' then
    refuse('a table with a ' .. kind .. ' in it')
  elseif depth >= DEEPEST then
    refuse('a table that is nested deeper than ' .. DEEPEST)
  else
    local count = length(value)
    if count then
      write_array(value, count, pieces, depth + 1)
    else
      write_object(value, pieces, depth + 1)
    end
  end
end

return function(value)
  local kind = type(value)
  if kind == 'nil' or kind == 'boolean' then
    return 'scalar', value
  elseif kind == 'number' then
    return 'scalar', number(value)
  elseif kind == 'string' then
    return 'scalar', text(value)
  elseif kind ~= 'table' then
    refuse('a ' .. kind)
  end
  local pieces = {}
  write(value, pieces, 0)
  return 'table', text(concat(pieces))
end
