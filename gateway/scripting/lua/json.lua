-- ParseJson, as scripts know it from Orthanc 1.10.1. dump.lua has its opposite.
--
-- What it does with text that nobody would expect was learnt by asking Orthanc, and is held by a test
-- that asks both: it forgives comments, trailing commas and whatever follows the value.

local select, tonumber, type = select, tonumber, type
local byte, char, find, gsub, match, sub = string.byte, string.char, string.find, string.gsub, string.match, string.sub
local concat, floor, huge = table.concat, math.floor, math.huge

local DEEPEST = 500 -- levels of arrays and objects: each needs stack

-- Orthanc hands text on as C does: it ends at its first NUL.
local function up_to_nul(text)
  local nul = find(text, '\0', 1, true)
  return nul and sub(text, 1, nul - 1) or text
end

-- A reader gets the text and the place where its value begins; it answers the place behind the value
-- and the value, or nil and what is wrong.

local function wrong(text, at, problem)
  local _, lines = gsub(sub(text, 1, at - 1), '\n', '')
  return nil, 'line ' .. lines + 1 .. ': ' .. problem
end

-- The place of the next character that is no white space; behind the text when there is none.
local function behind_space(text, at)
  local following = byte(text, at)
  if following and following > 32 then
    return at
  end
  return find(text, '[^ \t\r\n]', at) or #text + 1
end

-- As above, behind comments as well; nil and what is wrong with the comment.
local function behind_comments(text, at)
  at = behind_space(text, at)
  while byte(text, at) == 47 do -- '/'
    local kind, last = byte(text, at + 1), nil
    if kind == 42 then -- '*'
      _, last = find(text, '*/', at + 2, true)
    elseif kind == 47 then
      last = find(text, '[\r\n]', at + 2) or #text
    end
    if not last then
      return wrong(text, at, 'a comment without end, or a stray /')
    end
    at = behind_space(text, last + 1)
  end
  return at
end

-- The bytes of a code point, half a surrogate pair included.
local function utf8_of(code)
  if code < 0x80 then
    return char(code)
  elseif code < 0x800 then
    return char(0xC0 + floor(code / 0x40), 0x80 + code % 0x40)
  end
  local last_two = char(0x80 + floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  if code < 0x10000 then
    return char(0xE0 + floor(code / 0x1000)) .. last_two
  end
  return char(0xF0 + floor(code / 0x40000), 0x80 + floor(code / 0x1000) % 0x40) .. last_two
end

-- The text of `\uXXXX` at `at`, or of the pair of them that makes one character.
local function unicode_escape(text, at)
  local digits = match(text, '^\\u(%x%x%x%x)', at)
  if not digits then
    return wrong(text, at, '\\u takes four hexadecimal digits')
  end
  local code = tonumber(digits, 16)
  if code < 0xD800 or code > 0xDBFF then
    return at + 6, utf8_of(code)
  end
  digits = match(text, '^\\u(%x%x%x%x)', at + 6)
  if not digits then
    return wrong(text, at, 'half of a surrogate pair')
  end
  return at + 12, utf8_of(0x10000 + code % 0x400 * 0x400 + tonumber(digits, 16) % 0x400)
end

local ESCAPED = {
  ['"'] = '"', ['\\'] = '\\', ['/'] = '/', b = '\b', f = '\f', n = '\n', r = '\r', t = '\t',
}

-- A string with escapes; `at` is behind its opening quote.
local function read_escaped(text, at)
  local parts = {}
  while true do
    local special = find(text, '["\\]', at)
    if not special then
      return wrong(text, #text, 'a string without end')
    end
    parts[#parts + 1] = sub(text, at, special - 1)
    if byte(text, special) == 34 then -- '"'
      return special + 1, concat(parts)
    end
    local letter = sub(text, special + 1, special + 1)
    local part = ESCAPED[letter]
    at = special + 2
    if letter == 'u' then
      at, part = unicode_escape(text, special)
    elseif not part then
      return wrong(text, special, 'an unknown escape in a string')
    end
    if not at then
      return nil, part
    end
    parts[#parts + 1] = part
  end
end

local function read_string(text, at)
  local last = find(text, '"', at + 1, true)
  if not last then
    return wrong(text, at, 'a string without end')
  end
  local content = sub(text, at + 1, last - 1)
  if find(content, '\\', 1, true) then
    return read_escaped(text, at + 1)
  end
  return last + 1, content
end

-- Digits may be missing behind the point, or before it after a sign; a '-' without digits is 0.
local function read_number(text, at)
  local _, last = find(text, '^[+-]?%d*%.?%d*', at)
  local _, last_of_exponent = find(text, '^[eE][+-]?%d*', last + 1)
  last = last_of_exponent or last
  local numeral = sub(text, byte(text, at) == 43 and at + 1 or at, last) -- without a '+'
  local value = tonumber(numeral)
  if numeral == '-' and byte(text, last + 1) ~= 73 then -- 'I', of -Infinity
    value = 0
  end
  if not value or value == huge or value == -huge then
    return wrong(text, at, 'not a number: ' .. numeral)
  end
  if value == 0 and not find(numeral, '[.eE]') then
    value = 0 -- a whole number has no negative zero
  end
  return last + 1, value * 1.0 -- never an integer of Lua 5.4, as in Orthanc
end

local WORDS = { [102] = 'false', [110] = 'null', [116] = 'true' } -- by their first byte
local MEANING = { ['false'] = false, ['true'] = true }

local function read_word(text, at, first)
  local word = WORDS[first]
  if sub(text, at, at + #word - 1) ~= word then
    return wrong(text, at, word .. ' expected')
  end
  return at + #word, MEANING[word]
end

local read_value

-- What comes behind a member: the place of the next one, or nil and the place behind the end.
local function behind_member(text, at, closing, container)
  local problem
  at, problem = behind_comments(text, at)
  if not at then
    return nil, nil, problem
  end
  local following = byte(text, at)
  if following == 44 then -- ','
    return at + 1
  elseif following == closing then
    return nil, at + 1
  end
  return nil, wrong(text, at, "',' or the end of the " .. container .. ' expected')
end

local function read_array(text, at, depth)
  local array, count = {}, 0
  at = at + 1
  while at do
    local start = behind_space(text, at)
    if byte(text, start) == 93 then -- ']', also behind a comma
      return start + 1, array
    end
    local value, last, problem
    at, value = read_value(text, start, depth)
    if not at then
      return nil, value
    end
    count = count + 1
    array[count] = value -- null leaves a hole
    at, last, problem = behind_member(text, at, 93, 'array')
    if not at then
      return last, last and array or problem
    end
  end
end

local function read_member(text, at, depth, object)
  if byte(text, at) ~= 34 then -- '"'
    return wrong(text, at, "a name in double quotes, or '}' expected")
  end
  local name, value
  at, name = read_string(text, at)
  if not at then
    return nil, name
  end
  at = behind_space(text, at)
  if byte(text, at) ~= 58 then -- ':'
    return wrong(text, at, "':' expected")
  end
  at, value = read_value(text, at + 1, depth)
  if at then
    object[name] = value
  end
  return at, value
end

local function read_object(text, at, depth)
  local object = {}
  at = at + 1
  while at do
    local start, problem = behind_comments(text, at)
    if not start then
      return nil, problem
    elseif byte(text, start) == 125 then -- '}', also behind a comma
      return start + 1, object
    end
    local last
    at, problem = read_member(text, start, depth, object)
    if not at then
      return nil, problem
    end
    at, last, problem = behind_member(text, at, 125, 'object')
    if not at then
      return last, last and object or problem
    end
  end
end

function read_value(text, at, depth)
  local start, problem = behind_comments(text, at)
  if not start then
    return nil, problem
  end
  local first = byte(text, start)
  if first == 34 then
    return read_string(text, start)
  elseif first == 123 or first == 91 then -- '{', '['
    if depth >= DEEPEST then
      return wrong(text, start, 'nested too deeply')
    end
    return (first == 123 and read_object or read_array)(text, start, depth + 1)
  elseif WORDS[first] then
    return read_word(text, start, first)
  elseif first and find(text, '^[%d+-]', start) then
    return read_number(text, start)
  end
  return wrong(text, start, first and 'a value expected' or 'the text ends where a value is expected')
end

-- The value that `text` describes, or nil and what is wrong. A null is nil, also in tables.
local function parse(text)
  local start = sub(text, 1, 3) == '\239\187\191' and 4 or 1 -- behind a byte order mark
  local after, value = read_value(up_to_nul(text), start, 0)
  if not after then
    return nil, value
  end
  return value
end

local function ParseJson(...)
  local text = ...
  if select('#', ...) ~= 1 or (type(text) ~= 'string' and type(text) ~= 'number') then
    return nil, 'ParseJson takes one string'
  end
  return parse(type(text) == 'number' and '' .. text or text)
end

return { ParseJson = ParseJson }
