-- What scripts written for Lua 5.2 and 5.3 (the language of Orthanc) miss in LuaJIT.
-- Returns the functions by the place where a script expects them.
--
-- Argument: tostring, as a script may use it.
local original_tostring = ...

local floor, huge = math.floor, math.huge
local type, select, error = type, select, error
local char, byte, format, sub, find = string.char, string.byte, string.format, string.sub, string.find
local concat, unpack = table.concat, unpack
local bit = bit

-- Numbers ---------------------------------------------------------------------------------------

local function is_whole(value)
  return type(value) == 'number' and value == floor(value) and value > -huge and value < huge
end

local number = { maxinteger = 2 ^ 53 - 1, mininteger = -(2 ^ 53 - 1) }

function number.type(value)
  if type(value) ~= 'number' then
    return nil
  end
  return is_whole(value) and 'integer' or 'float'
end

-- LuaJIT writes 14 significant digits: whole numbers from 1e14 on would read 1e+14.
local function in_full(value)
  if is_whole(value) and (value >= 1e14 or value <= -1e14) and value < 2 ^ 63 and value >= -2 ^ 63 then
    return format('%.0f', value)
  end
  return value
end

local function tostring(...)
  return original_tostring(select('#', ...) == 1 and in_full((...)) or ...)
end

-- A numeral in a string is as good as the number to every directive of string.format; and tables
-- are made text here, because string.format would call their __tostring from C.
local function format_in_full(directives, ...)
  local values = { ... }
  for index = 1, select('#', ...) do
    local value = values[index]
    values[index] = type(value) == 'table' and original_tostring(value) or in_full(value)
  end
  return format(directives, unpack(values, 1, select('#', ...)))
end

-- Tables ----------------------------------------------------------------------------------------

local function pack(...)
  return { n = select('#', ...), ... }
end

local function rawlen(value)
  return #value
end

-- bit32: like LuaJIT's bit, but unsigned, and shifts beyond 31 bits lose every bit -----------------

local function unsigned(value)
  return value % 2 ^ 32
end

local bit32 = {}
for _, name in ipairs({ 'band', 'bor', 'bxor' }) do
  local combine, neutral = bit[name], name == 'band' and -1 or 0
  bit32[name] = function(...)
    return unsigned(combine(neutral, ...))
  end
end

function bit32.bnot(value)
  return unsigned(bit.bnot(value))
end

function bit32.btest(...)
  return bit32.band(...) ~= 0
end

function bit32.lshift(value, places)
  if places <= -32 or places >= 32 then
    return 0
  end
  return unsigned(places >= 0 and bit.lshift(value, places) or bit.rshift(value, -places))
end

function bit32.rshift(value, places)
  return bit32.lshift(value, -places)
end

function bit32.arshift(value, places)
  if places < 0 then
    return bit32.lshift(value, -places)
  end
  return unsigned(bit.arshift(value, places > 31 and 31 or places))
end

function bit32.lrotate(value, places)
  return unsigned(bit.rol(value, places % 32))
end

function bit32.rrotate(value, places)
  return unsigned(bit.ror(value, places % 32))
end

local function field_mask(field, width)
  width = width or 1
  if field < 0 or width < 1 or field + width > 32 then
    error('trying to access non-existent bits', 3)
  end
  return 2 ^ width - 1
end

function bit32.extract(value, field, width)
  local mask = field_mask(field, width)
  return bit32.band(bit32.rshift(value, field), mask)
end

function bit32.replace(value, replacement, field, width)
  local mask = field_mask(field, width)
  local hole = bit32.bnot(bit32.lshift(mask, field))
  return bit32.bor(bit32.band(value, hole), bit32.lshift(bit32.band(replacement, mask), field))
end

-- utf8: sequences of one to four bytes -------------------------------------------------------------

local utf8 = {}

local function encode(code)
  if code < 0x80 then
    return char(code)
  elseif code < 0x800 then
    return char(0xC0 + floor(code / 0x40), 0x80 + code % 0x40)
  elseif code < 0x10000 then
    return char(0xE0 + floor(code / 0x1000), 0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  elseif code < 0x110000 then
    return char(
      0xF0 + floor(code / 0x40000),
      0x80 + floor(code / 0x1000) % 0x40,
      0x80 + floor(code / 0x40) % 0x40,
      0x80 + code % 0x40
    )
  end
  error('value out of range', 3)
end

function utf8.char(...)
  local parts = { ... }
  for index = 1, select('#', ...) do
    parts[index] = encode(parts[index])
  end
  return concat(parts)
end

local SMALLEST = { 0, 0x80, 0x800, 0x10000 } -- below it, a sequence of that length is overlong

-- The code point that begins at `start`, and its length in bytes; nil when there is no valid one.
local function decode(text, start)
  local lead = byte(text, start)
  if not lead then
    return nil
  elseif lead < 0x80 then
    return lead, 1
  end
  local length = lead >= 0xF0 and 4 or lead >= 0xE0 and 3 or 2
  if lead < 0xC2 or lead > 0xF4 then
    return nil
  end
  local code = lead % 2 ^ (7 - length)
  for index = start + 1, start + length - 1 do
    local following = byte(text, index)
    if not following or following < 0x80 or following > 0xBF then
      return nil
    end
    code = code * 0x40 + following - 0x80
  end
  if code < SMALLEST[length] or code > 0x10FFFF or (code >= 0xD800 and code <= 0xDFFF) then
    return nil
  end
  return code, length
end

local function from_either_end(text, index)
  return index >= 0 and index or #text + index + 1
end

function utf8.len(text, first, last)
  local position = from_either_end(text, first or 1)
  local stop, count = from_either_end(text, last or -1), 0
  while position <= stop do
    local code, length = decode(text, position)
    if not code then
      return nil, position
    end
    position, count = position + length, count + 1
  end
  return count
end

function utf8.codepoint(text, first, last)
  local position = from_either_end(text, first or 1)
  local stop, codes = from_either_end(text, last or position), {}
  while position <= stop do
    local code, length = decode(text, position)
    if not code then
      error('invalid UTF-8 code', 2)
    end
    codes[#codes + 1], position = code, position + length
  end
  return unpack(codes)
end

local function is_continuation(text, index)
  return find(sub(text, index, index), '^[\128-\191]') ~= nil
end

function utf8.offset(text, count, start)
  local position = from_either_end(text, start or (count > 0 and 1 or #text + 1))
  if count == 0 then
    while position > 1 and is_continuation(text, position) do
      position = position - 1
    end
    return position
  elseif is_continuation(text, position) then
    error('initial position is a continuation byte', 2)
  end
  local step = count > 0 and 1 or -1
  local remaining = count > 0 and count - 1 or -count
  while remaining > 0 do
    position = position + step
    while is_continuation(text, position) do
      position = position + step
    end
    if position < 1 or position > #text + 1 then
      return nil
    end
    remaining = remaining - 1
  end
  return position
end

function utf8.codes(text)
  local following = 1
  return function()
    if following > #text then
      return nil
    end
    local start = following
    local code, length = decode(text, start)
    if not code then
      error('invalid UTF-8 code', 2)
    end
    following = start + length
    return start, code
  end
end

return {
  base = { tostring = tostring, rawlen = rawlen },
  string = { format = format_in_full },
  table = { pack = pack, unpack = unpack },
  math = number,
  bit32 = bit32,
  utf8 = utf8,
}
