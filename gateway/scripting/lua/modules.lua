-- require() and package: modules are Lua text, never C libraries and never byte code.
--
-- Arguments: the script's globals, the libraries that are loaded from the start, functions that ask
-- the host and that raise at the script's line, and io.open, nil where a script has no files.
local globals, loaded, ask, fail, open = ...

local error, load, rawget = error, load, rawget
local byte, concat, format, gmatch, gsub = string.byte, table.concat, string.format, string.gmatch, string.gsub
local tostring, type = tostring, type

-- Where Orthanc's Lua 5.3 looks on Debian; a legacy script adds folders of its own.
local TRUSTED_PATH = concat({
  '/usr/local/share/lua/5.3/?.lua', '/usr/local/share/lua/5.3/?/init.lua', '/usr/local/lib/lua/5.3/?.lua',
  '/usr/local/lib/lua/5.3/?/init.lua', '/usr/share/lua/5.3/?.lua', '/usr/share/lua/5.3/?/init.lua',
  './?.lua', './?/init.lua',
}, ';')
local FOLDER_PATH = '?.lua;?/init.lua'

local package = {
  loaded = loaded,
  preload = {},
  path = open and TRUSTED_PATH or FOLDER_PATH,
  cpath = '',
  config = '/\n;\n?\n!\n-\n',
}
globals.package = package

-- The first file that is there, open, and its path; or nil, and a line for each that is not.
local function opened(name, path)
  local stem, looked_at = gsub(gsub(name, '%.', '/'), '%%', '%%%%'), {}
  for template in gmatch(path, '[^;]+') do
    local place = gsub(template, '%?', stem)
    local file = open(place, 'rb')
    if file then
      return file, place
    end
    looked_at[#looked_at + 1] = format("\n\tno file '%s'", place)
  end
  return nil, concat(looked_at)
end

-- As Lua 5.2: the path of the file that require would read, or nil and where it looked.
if open then
  function package.searchpath(name, path)
    local file, place = opened(tostring(name), tostring(path))
    if file then
      file:close()
      return place
    end
    return nil, place
  end
end

local function text_of(file)
  local text = file:read('*a')
  file:close()
  if not text then -- a folder can be opened, but not read
    return nil
  end
  return (gsub(gsub(text, '^\239\187\191', ''), '^#', '--#'))
end

-- What package.path leads to: its path and text. Raises, at the script's line, when nothing is there.
local function beyond_the_folder(name, stem)
  local looked_at = format("\n\tno field package.preload['%s']\n\tno %s.lua in the script folder", name, stem)
  if open then
    local path = rawget(package, 'path')
    if type(path) ~= 'string' then
      fail("'package.path' must be a string")
    end
    local file, place = opened(name, path)
    local text = file and text_of(file)
    if text then
      return place, text
    end
    looked_at = looked_at .. (file and format("\n\tno file '%s'", place) or place)
  end
  fail(format("module '%s' not found:%s", name, looked_at))
end

local function module_loader(name)
  local preload = rawget(package, 'preload')
  local preloaded = type(preload) == 'table' and preload[name]
  if preloaded then
    return preloaded, ':preload:'
  end
  local path, source = ask('read_module', name)
  if not path then
    path, source = beyond_the_folder(name, (gsub(name, '%.', '/')))
  end
  if byte(source) == 27 then
    fail(format("module '%s': %s is byte code, only Lua text is loaded", name, path))
  end
  local chunk, problem = load(source, '@' .. path, 't', globals)
  if not chunk then
    error(problem, 0)
  end
  return chunk, path
end

-- Modules of the script folder are those that were there when the script was loaded, and come first.
local being_loaded = {}
function globals.require(name)
  name = tostring(name)
  if loaded[name] ~= nil then
    return loaded[name]
  elseif being_loaded[name] then
    fail("module '" .. name .. "' requires itself, or failed to load before")
  end
  local chunk, path = module_loader(name)
  being_loaded[name] = true
  local value = chunk(name, path)
  if loaded[name] == nil then
    loaded[name] = value == nil or value
  end
  being_loaded[name] = nil
  return loaded[name]
end
