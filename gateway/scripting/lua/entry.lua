-- How Python enters the runtime. Each function but `describe` and `defines` arms the limits and
-- ends in a tail call of a C function: when the script has been killed, every further instruction
-- raises, so there must not be one between the script and Python.
--
-- Arguments: the script's globals, the limits, the sandbox's setter of the current callback, the
-- function that starts the depth of nesting anew, and what makes an answer fit to leave Lua.
local globals, limits, set_callback, reset_depth, fit = ...

local loaded, tostring = globals.package.loaded, globals.tostring
local collectgarbage, load, next, pcall, rawget, type = collectgarbage, load, next, pcall, rawget, type
local traceback = debug.traceback

-- Real errors only take notes here: an error value may be a table with a __tostring that never
-- ends, and that must not run in a handler.
local problem, stack = nil, ''
local function take_notes(value)
  problem, stack = value, traceback('', 2)
  return nil
end

local protected = xpcall -- as it is: what scripts have in its place is for them
local entry = { verdict = limits.verdict }

local function arm(deadline_s)
  problem, stack = nil, ''
  reset_depth()
  limits.arm(deadline_s)
end

-- What a script returns stays in Lua: it may be a table, or a number that Python cannot hold.
local function discard_results(callback, ...)
  callback(...)
end

-- The chunk compiled from `source`, kept until run(); or the message of the compiler.
local main_chunk
function entry.compile(source, name)
  local message
  main_chunk, message = load(source, '@' .. name, 't', globals)
  return message
end

function entry.run(deadline_s)
  set_callback(main_chunk)
  arm(deadline_s)
  return protected(discard_results, take_notes, main_chunk)
end

function entry.defines(callback)
  return type(rawget(globals, callback)) == 'function'
end

function entry.call(deadline_s, callback, ...)
  local f = rawget(globals, callback)
  set_callback(f)
  arm(deadline_s)
  return protected(discard_results, take_notes, f, ...)
end

local function first_result(callback, ...)
  return fit((callback(...)))
end

-- As call(), for a callback whose first result matters.
function entry.ask(deadline_s, callback, ...)
  local f = rawget(globals, callback)
  set_callback(f)
  arm(deadline_s)
  return protected(first_result, take_notes, f, ...)
end

-- What went wrong in the last call, as text: the message and the stack. Runs under the limits too,
-- because a script's __tostring may run here.
local function to_text()
  local value = problem
  if type(value) == 'table' and type(rawget(value, 'message')) == 'string' then
    value = value.message
  end
  return tostring(value), stack
end

function entry.describe(deadline_s)
  reset_depth()
  limits.arm(deadline_s)
  return pcall(to_text)
end

-- Let go of all that the script holds: closing a file may take long, and must not wait for the moment
-- when the whole state is freed, because Python holds its GIL then.
function entry.finish()
  main_chunk = nil
  set_callback(nil)
  for name in next, loaded do
    loaded[name] = nil
  end
  for name in next, globals do
    globals[name] = nil
  end
  collectgarbage()
  collectgarbage()
end

return entry
