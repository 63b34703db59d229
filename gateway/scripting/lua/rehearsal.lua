-- Files and commands of a script that is only tried: what it would do is shown, and not done. What it
-- writes goes to a stand-in, which it finds again under the name that it wrote to.
--
-- Arguments: the script's io and os, and functions that ask the host and that tell the script's line.
local io, os, ask, position = ...

local find, tostring, type = string.find, tostring, type
local open, remove, lines, output = io.open, os.remove, io.lines, io.output

local stand_ins = {} -- by the name that the script knows
local removed = {}

local function show(what, ...)
  ask('shown', position(), what, ...)
end

local function missing(path)
  return nil, path .. ': No such file or directory', 2
end

local function is_there(path)
  local file = not removed[path] and open(stand_ins[path] or path)
  return file and file:close()
end

function io.open(path, mode)
  path = tostring(path)
  if find(mode or 'r', '[wa+]') then
    stand_ins[path] = stand_ins[path] or ask('stand_in', position(), path, not removed[path] and mode or 'w')
    removed[path] = nil
  elseif removed[path] then
    return missing(path)
  end
  return open(stand_ins[path] or path, mode)
end

function io.lines(path, ...)
  return lines(path and stand_ins[path] or path, ...)
end

function io.output(file)
  if type(file) == 'string' then
    return output((io.open(file, 'w')))
  end
  return output(file)
end

function os.remove(path)
  path = tostring(path)
  show('os.remove', path)
  if not is_there(path) then
    return missing(path)
  elseif stand_ins[path] then
    remove(stand_ins[path])
  end
  stand_ins[path], removed[path] = nil, true
  return true
end

function os.rename(from, to)
  from, to = tostring(from), tostring(to)
  show('os.rename', from, to)
  if not is_there(from) then
    return missing(from)
  end
  stand_ins[to], removed[to] = stand_ins[from] or from, nil
  stand_ins[from], removed[from] = nil, true
  return true
end

function os.tmpname()
  return ask('temporary')
end

function os.execute(command)
  if command == nil then
    return true
  end
  show('os.execute', tostring(command))
  return true, 'exit', 0
end

function io.popen(command, mode)
  show('io.popen', tostring(command))
  return open('/dev/null', mode)
end
