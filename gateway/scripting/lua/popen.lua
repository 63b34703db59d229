-- io.popen as a table that behaves like a file: the host runs the command and holds the pipe.
--
-- Arguments: a function that asks the host, and one that raises at the script's line.
local ask, fail = ...

local byte, concat, find, gsub, sub = string.byte, table.concat, string.find, string.gsub, string.sub
local select, setmetatable, tonumber, tostring, type = select, setmetatable, tonumber, tostring, type
local unpack = unpack or table.unpack
local getmetatable = debug.getmetatable

local Pipe = {}
Pipe.__index = Pipe

local function handle_of(pipe)
  if getmetatable(pipe) ~= Pipe then
    fail('a file is expected: use pipe:read(), with a colon')
  elseif not pipe.handle then
    fail('attempt to use a closed file')
  end
  return pipe.handle
end

-- Have one more chunk in the buffer; false at the end.
local function fill(pipe)
  local chunk = ask('pipe_read', handle_of(pipe))
  pipe.buffer = pipe.buffer .. chunk
  return chunk ~= ''
end

local function take(pipe, count)
  local taken = sub(pipe.buffer, 1, count)
  pipe.buffer = sub(pipe.buffer, count + 1)
  return taken
end

local readers = {}

function readers.a(pipe)
  local parts = { take(pipe, #pipe.buffer) }
  while fill(pipe) do
    parts[#parts + 1] = take(pipe, #pipe.buffer)
  end
  return concat(parts)
end

function readers.L(pipe)
  local from, line_end = 1, nil
  repeat
    line_end = find(pipe.buffer, '\n', from, true)
    from = #pipe.buffer + 1
  until line_end or not fill(pipe)
  local line = take(pipe, line_end or #pipe.buffer)
  return line ~= '' and line or nil
end

function readers.l(pipe)
  local line = readers.L(pipe)
  return line and (gsub(line, '\n$', '')) or nil
end

function readers.n(pipe)
  while not find(pipe.buffer, '^%s*[%w.+-]+[^%w.+-]') and fill(pipe) do
  end
  local _, last = find(pipe.buffer, '^%s*[%w.+-]*')
  return tonumber(take(pipe, last))
end

local function read_bytes(pipe, count)
  while #pipe.buffer < count and fill(pipe) do
  end
  if pipe.buffer == '' and (count > 0 or not fill(pipe)) then
    return nil
  end
  return take(pipe, count)
end

local function read_one(pipe, format)
  handle_of(pipe)
  if type(format) == 'number' then
    return read_bytes(pipe, format)
  end
  local reader = readers[gsub(tostring(format or 'l'), '^%*', '')]
  return (reader or fail('bad argument to read: invalid format'))(pipe)
end

local function read_each(pipe, format, ...)
  local value = read_one(pipe, format)
  if value == nil or select('#', ...) == 0 then
    return value
  end
  return value, read_each(pipe, ...)
end

function Pipe:read(...)
  return read_each(self, ...)
end

function Pipe:lines(...)
  handle_of(self)
  local formats, count = { ... }, select('#', ...)
  return function()
    return read_each(self, unpack(formats, 1, count))
  end
end

function Pipe:write(...)
  for index = 1, select('#', ...) do
    local problem = ask('pipe_write', handle_of(self), tostring((select(index, ...))))
    if problem then
      return nil, problem
    end
  end
  return self
end

function Pipe:flush()
  return self
end

function Pipe:setvbuf()
  return true
end

function Pipe:close()
  local handle = handle_of(self)
  self.handle = nil
  return ask('pipe_close', handle)
end

function Pipe:__tostring()
  return self.handle and 'file (pipe)' or 'file (closed)'
end

local function popen(command, mode)
  mode = mode or 'r'
  if byte(mode) ~= 114 and byte(mode) ~= 119 then -- 'r', 'w'
    fail("io.popen: invalid mode, 'r' or 'w' is expected")
  end
  local handle = ask('popen', tostring(command), byte(mode) == 114)
  return setmetatable({ handle = handle, buffer = '' }, Pipe)
end

local type_of_file, close = io.type, io.close
return {
  popen = popen,
  type = function(value)
    if getmetatable(value) ~= Pipe then
      return type_of_file(value)
    end
    return value.handle and 'file' or 'closed file'
  end,
  close = function(file)
    if getmetatable(file) == Pipe then
      return file:close()
    elseif file == nil then
      return close()
    end
    return close(file)
  end,
}
