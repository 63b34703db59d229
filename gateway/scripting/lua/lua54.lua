-- What takes the place of compat.lua and bridges.lua in a runtime of Lua 5.4, whose library has most
-- of that: what Orthanc's Lua 5.3 has besides, and what must not be done in here.
--
-- Argument: what reentry.lua offers, by library.
local reentry = ...

local error, getmetatable, rawget, setmetatable, type = error, debug.getmetatable, rawget, setmetatable, type

-- Finalizers run with hooks off: one that never ends could not be ended.
local function setmetatable_without_finalizer(value, metatable)
  if type(metatable) == 'table' and rawget(metatable, '__gc') ~= nil then
    error('__gc is closed: a finalizer cannot be ended by the time limit', 2)
  end
  return setmetatable(value, metatable)
end

-- bit32, whose numbers have 32 bits and no sign ------------------------------------------------------

local ALL = 0xFFFFFFFF
local bit32 = {}

local function folded(combine, start)
  return function(...)
    local result = start
    for _, value in ipairs({ ... }) do
      result = combine(result, value)
    end
    return result & ALL
  end
end

bit32.band = folded(function(a, b) return a & b end, ALL)
bit32.bor = folded(function(a, b) return a | b end, 0)
bit32.bxor = folded(function(a, b) return a ~ b end, 0)

function bit32.bnot(value)
  return ~value & ALL
end

function bit32.btest(...)
  return bit32.band(...) ~= 0
end

function bit32.lshift(value, places)
  return (value & ALL) << places & ALL
end

function bit32.rshift(value, places)
  return (value & ALL) >> places & ALL
end

function bit32.arshift(value, places)
  value = value & ALL
  if places >= 0 and value & 0x80000000 ~= 0 then
    return value >> places & ALL | ~(ALL >> places) & ALL
  end
  return value >> places & ALL
end

function bit32.lrotate(value, places)
  value, places = value & ALL, places % 32
  return (value << places | value >> (32 - places)) & ALL
end

function bit32.rrotate(value, places)
  return bit32.lrotate(value, -places)
end

local function field_mask(field, width)
  width = width or 1
  if field < 0 or width < 1 or field + width > 32 then
    error('trying to access non-existent bits', 3)
  end
  return (1 << width) - 1
end

function bit32.extract(value, field, width)
  local mask = field_mask(field, width)
  return (value & ALL) >> field & mask
end

function bit32.replace(value, replacement, field, width)
  local mask = field_mask(field, width)
  return (value & ALL & ~(mask << field)) | (replacement & mask) << field
end

-- math, which has had these until 5.3 ------------------------------------------------------------------

local function power(base, exponent)
  return base ^ exponent
end

local function load_exponent(value, exponent)
  return value * 2.0 ^ exponent
end

local log = math.log
local function decimal_logarithm(value)
  return log(value, 10)
end

return {
  base = { tostring = reentry.base.tostring, setmetatable = setmetatable_without_finalizer },
  math = { pow = power, ldexp = load_exponent, log10 = decimal_logarithm },
  bit32 = bit32,
}
