-- The primitives as scripts call them: their arguments made fit to cross, as strings, numbers,
-- booleans and nil. A table of options crosses as name, value, name, value...; nested tables as JSON.
--
-- Arguments: the names of the primitives; a function that asks the host, one that raises at the
-- script's line and one that says which line that is; tostring, as a script may use it.
local names, ask, fail, position, tostring = ...

local next, pairs, rawget, select, type = next, pairs, rawget, select, type
local unpack = unpack or table.unpack
local byte, concat, format, gsub = string.byte, table.concat, string.format, string.gsub

local SCALAR = { ['nil'] = true, boolean = true, number = true, string = true }
local DEEPEST = 40 -- nobody nests deeper; a table in itself would go on for ever

local function scalar(value, primitive, what)
  if not SCALAR[type(value)] then
    fail(primitive .. ': ' .. what .. ' must not be a ' .. type(value))
  elseif type(value) == 'number' and not (value > -2 ^ 53 and value < 2 ^ 53) then
    fail(primitive .. ': ' .. what .. ' must not be ' .. tostring(value)) -- Python would raise
  end
  return value
end

-- Name, value, name, value...; the legacy third argument as it is.
local function flat(options, primitive)
  if type(options) ~= 'table' then
    return scalar(options, primitive, 'the third argument')
  end
  local pairs_of_options, count = {}, 0
  for name, value in pairs(options) do
    pairs_of_options[count + 1] = tostring(scalar(name, primitive, "an option's name"))
    pairs_of_options[count + 2] = scalar(value, primitive, 'option ' .. tostring(name))
    count = count + 2
  end
  return unpack(pairs_of_options, 1, count)
end

-- Tables as JSON --------------------------------------------------------------------------------

local function escaped(character)
  return format('\\u%04x', byte(character))
end

local function quoted(text)
  return '"' .. gsub(text, '[%z\1-\31"\\\127]', escaped) .. '"'
end

local as_json

local function items(list, primitive, depth)
  local written = {}
  for index = 1, #list do
    written[index] = as_json(rawget(list, index), primitive, depth)
  end
  return '[' .. concat(written, ',') .. ']'
end

local function members(object, primitive, depth)
  local written = {}
  for name, value in next, object do
    if type(name) ~= 'string' then
      fail(primitive .. ': a table has names and numbers as keys: only one kind can be meant')
    end
    written[#written + 1] = quoted(name) .. ':' .. as_json(value, primitive, depth)
  end
  return '{' .. concat(written, ',') .. '}'
end

local function count(object)
  local counted = 0
  for _ in next, object do
    counted = counted + 1
  end
  return counted
end

-- A number becomes the text that it prints as: values of elements and arguments of commands are text.
function as_json(value, primitive, depth)
  local kind = type(value)
  if kind == 'table' then
    if depth == DEEPEST then
      fail(primitive .. ': tables are nested too deeply')
    end
    local written = count(value) == #value and items or members
    return written(value, primitive, depth + 1)
  elseif kind == 'string' or kind == 'number' then
    return quoted(tostring(value))
  elseif kind == 'boolean' then
    return tostring(value)
  end
  fail(primitive .. ': a table must not hold a ' .. kind)
end

local function json_or_nil(value, primitive, what)
  if value == nil then
    return nil
  elseif type(value) ~= 'table' then
    fail(primitive .. ': ' .. what .. ' must be a table, not a ' .. type(value))
  end
  return as_json(value, primitive, 0)
end

-- How the arguments after the resource cross ------------------------------------------------------

local function usual(primitive, target, options)
  return scalar(target, primitive, 'the second argument'), flat(options, primitive)
end

local crossing = {}

function crossing.ModifyInstance(primitive, replace, remove, remove_private)
  return json_or_nil(replace, primitive, 'what to replace'),
    json_or_nil(remove, primitive, 'what to remove'),
    scalar(remove_private, primitive, 'removePrivateTags')
end

function crossing.CallSystem(primitive, command, arguments)
  return scalar(command, primitive, 'the command'), json_or_nil(arguments, primitive, 'the arguments')
end

local functions = {}
for _, primitive in pairs(names) do
  local cross = crossing[primitive] or usual
  functions[primitive] = function(resource, ...)
    scalar(resource, primitive, 'the first argument')
    return ask('plan', primitive, position(), resource, cross(primitive, ...))
  end
end

-- Says which transfer syntaxes to try, best first; usable everywhere, as it plans nothing.
function functions.transcode_ladder(...)
  for index = 1, select('#', ...) do
    scalar((select(index, ...)), 'transcode_ladder', 'a transfer syntax')
  end
  return ask('ladder', ...)
end

return functions
