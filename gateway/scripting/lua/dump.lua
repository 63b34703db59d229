-- DumpJson and PrintRecursive, as scripts know them from Orthanc 1.10.1. json.lua has the opposite.
--
-- What they do with values that nobody would expect was learnt by asking Orthanc, and is held by a
-- test that asks both: strings that read as numbers become numbers, bytes that are not UTF-8 become
-- letters.
--
-- Arguments: tostring and pairs, as a script may use them, and the script's print.
local tostring, pairs, print = ...

local error, next, rawget, select, tonumber, type = error, next, rawget, select, tonumber, type
local byte, char, find, format = string.byte, string.char, string.find, string.format
local gsub, sub = string.gsub, string.sub
local concat, floor, huge, sort = table.concat, math.floor, math.huge, table.sort

local DEEPEST = 500 -- levels of arrays and objects: each needs stack

-- Orthanc hands strings on as C does: they end at their first NUL.
local function up_to_nul(text)
  local nul = find(text, '\0', 1, true)
  return nul and sub(text, 1, nul - 1) or text
end

local EPSILON = 2 ^ -52

-- Numbers that differ by less than anybody notices from a whole one of 32 bits are written as such.
local function number_text(value)
  if value ~= value then
    return 'null'
  elseif value == huge or value == -huge then
    return value > 0 and '1e+9999' or '-1e+9999'
  end
  local whole = value < 0 and -floor(-value) or floor(value)
  if whole >= -2 ^ 31 and whole < 2 ^ 31 and value - whole <= EPSILON and whole - value <= EPSILON then
    return format('%d', whole)
  end
  local text = format('%.17g', value)
  return find(text, '[.e]') and text or text .. '.0'
end

-- What a string means that Lua 5.3 takes for a number. LuaJIT knows more of them: inf, nan, 0b1.
local function numeral_value(text)
  if find(text, '[nNbB]') and not find(text, '^%s*[+-]?0[xX]') then
    return nil
  end
  return tonumber(text)
end

local ESCAPES = { ['"'] = '\\"', ['\\'] = '\\\\' }
for code = 0, 31 do
  ESCAPES[char(code)] = format('\\u%04x', code)
end
for character, letter in next, { ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't' } do
  ESCAPES[character] = '\\' .. letter
end

local UNREADABLE = 0xFFFD

-- The code point that the bytes at `at` stand for to Orthanc, and how many they are. It believes the
-- first byte, whatever the others are.
local function code_at(text, at)
  local first, second, third, fourth = byte(text, at, at + 3)
  local length = first < 0xE0 and 2 or first < 0xF0 and 3 or first < 0xF8 and 4 or 1
  if length == 1 or #text - at + 1 < length then
    return UNREADABLE, 1
  elseif length == 2 then
    local code = first % 0x20 * 0x40 + second % 0x40
    return code < 0x80 and UNREADABLE or code, 2
  elseif length == 3 then
    local code = first % 0x10 * 0x1000 + second % 0x40 * 0x40 + third % 0x40
    return (code < 0x800 or code >= 0xD800 and code < 0xE000) and UNREADABLE or code, 3
  end
  local code = first % 8 * 0x40000 + second % 0x40 * 0x1000 + third % 0x40 * 0x40 + fourth % 0x40
  return code < 0x10000 and UNREADABLE or code, 4
end

local function unicode_text(code)
  if code < 0x10000 then
    return format('\\u%04x', code)
  end
  code = code - 0x10000
  return format('\\u%04x\\u%04x', 0xD800 + floor(code / 0x400) % 0x400, 0xDC00 + code % 0x400)
end

-- Everything beyond ASCII is written as \uXXXX.
local function string_text(text)
  text = up_to_nul(text)
  if not find(text, '[%c"\\\128-\255]') then
    return '"' .. text .. '"'
  end
  local parts, at = { '"' }, 1
  while true do
    local foreign = find(text, '[\128-\255]', at)
    local plain = sub(text, at, (foreign or #text + 1) - 1)
    parts[#parts + 1] = gsub(plain, '[%c"\\]', ESCAPES)
    if not foreign then
      parts[#parts + 1] = '"'
      return concat(parts)
    end
    local code, length = code_at(text, foreign)
    parts[#parts + 1] = unicode_text(code)
    at = foreign + length
  end
end

local value_text

-- How many values `value` has when its keys are 1 to n; nil when it is no list. Orthanc takes the last
-- key as a string, too: a table that holds nothing but '1' is a list.
local function length_of_list(value)
  local count, highest, as_text = 0, 0, nil
  for key in next, value do
    local number = key
    if type(key) == 'string' and not as_text and find(key, '^[1-9]%d*$') then
      as_text, number = tonumber(key), tonumber(key)
    end
    if type(number) ~= 'number' or number < 1 or number ~= floor(number) then
      return nil
    end
    count, highest = count + 1, number > highest and number or highest
  end
  return count == highest and (not as_text or as_text == count) and count or nil
end

local function list_text(list, count, keep_strings, depth)
  local parts = {}
  for index = 1, count do
    local value = rawget(list, index)
    if value == nil then
      value = rawget(list, tostring(index))
    end
    local text, problem = value_text(value, keep_strings, depth)
    if not text then
      return nil, problem
    end
    parts[index] = text
  end
  return '[' .. concat(parts, ',') .. ']'
end

-- The keys as text, in their order, and the values by them; nil and what is wrong.
local function members_of(object)
  local names, values = {}, {}
  for key, value in next, object do
    if type(key) ~= 'string' and type(key) ~= 'number' then
      return nil, 'a ' .. type(key) .. ' cannot be a key of an object'
    end
    local name = up_to_nul(tostring(key))
    if values[name] == nil then
      names[#names + 1] = name
    end
    values[name] = value
  end
  sort(names)
  return names, values
end

local function object_text(object, keep_strings, depth)
  local names, values = members_of(object)
  if not names then
    return nil, values
  end
  local parts = {}
  for index = 1, #names do
    local name = names[index]
    local text, problem = value_text(values[name], keep_strings, depth)
    if not text then
      return nil, problem
    end
    parts[index] = string_text(name) .. ':' .. text
  end
  return '{' .. concat(parts, ',') .. '}'
end

local function table_text(value, keep_strings, depth)
  if depth >= DEEPEST then
    return nil, 'nested too deeply, or in itself'
  end
  local count = length_of_list(value)
  if count then
    return list_text(value, count, keep_strings, depth + 1)
  end
  return object_text(value, keep_strings, depth + 1)
end

-- keep_strings keeps strings from becoming numbers, and makes strings of numbers. Functions and the
-- like are null. Answers nil and what is wrong with a table that JSON cannot hold.
function value_text(value, keep_strings, depth)
  local kind = type(value)
  if kind == 'table' then
    return table_text(value, keep_strings, depth)
  elseif kind == 'boolean' then
    return value and 'true' or 'false'
  elseif kind == 'string' then
    local number = not keep_strings and numeral_value(value)
    return number and number_text(number) or string_text(value)
  elseif kind == 'number' then
    return keep_strings and string_text(tostring(value)) or number_text(value)
  end
  return 'null'
end

local function DumpJson(...)
  local count, value, keep_strings = select('#', ...), ...
  if count < 1 or count > 2 or (count == 2 and type(keep_strings) ~= 'boolean') then
    return nil, 'DumpJson takes a value, and true or false'
  end
  local text, problem = value_text(value, keep_strings, 0)
  return text or error('DumpJson: ' .. problem, 2)
end

-- Printing --------------------------------------------------------------------------------------

local LONGEST_PRINT = 100

local print_all

-- A line for each member, and for what is in it. Answers what is left of the limit.
local function print_members(members, left, place, around)
  around[members] = true
  for key, value in pairs(members) do
    left = print_all(value, left, place .. '\t[' .. tostring(key) .. ']', around)
    if left < 0 then
      break
    end
  end
  around[members] = nil
  return left
end

-- A line that says where the value is, its type, and the value; of a table, its members follow, and
-- only they count. Answers what is left of the limit: less than 0 once a value found no room.
-- around: the tables that are being printed. Orthanc never comes to an end with one in itself.
function print_all(value, left, place, around)
  local kind = type(value)
  if left < 1 then
    print('ERROR: Item limit reached.')
  elseif around[value] then
    print(place, kind, 'in itself')
  elseif kind ~= 'table' then
    print(place, kind, value)
  else
    print(place, kind)
    return print_members(value, left, place, around)
  end
  return left - 1
end

local function PrintRecursive(value, limit, place)
  return print_all(value, limit or LONGEST_PRINT, place or '', {})
end

return { DumpJson = DumpJson, PrintRecursive = PrintRecursive }
