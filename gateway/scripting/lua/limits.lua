-- The time and memory limits of one runtime.
--
-- LuaJIT calls a count hook only in interpreted code, so its compiler is off in every runtime. The
-- hook looks at the clock and at the memory in use; when a limit is passed it raises, and from then
-- on it raises at every single instruction: a script that swallows the error with pcall in a loop
-- gets no further than the next instruction.
--
-- Arguments: the soft memory limit in KB (the allocator's own, harder limit is set from Python), and
-- Python's time.monotonic, for a Lua that has no other way to it.
local soft_limit_kb, monotonic_s = ...

local error, pcall = error, pcall
local sethook, traceback = debug.sethook, debug.traceback
local cpu_s, wall_s = os.clock, os.time
local collectgarbage, max, min = collectgarbage, math.max, math.min

local INSTRUCTIONS_BETWEEN_LOOKS = 1000
local LONGEST_STRING_BYTES = 2 ^ 31 - 2 ^ 16
local KILLED = 'the gateway ended this script' -- a constant: raising it needs no memory

-- os.time() counts whole seconds and os.clock() the CPU time of all threads. The monotonic clock is
-- the one that Python's time.monotonic() reads. Two 32-bit views of the timespec, because reading a
-- 64-bit field would allocate, and memory may be what has run out.
local function clock_of_luajit()
  local ffi = require('ffi')
  ffi.cdef('int clock_gettime(int clock, void *timespec);')
  local MONOTONIC = ffi.os == 'OSX' and 6 or 1
  local clock_gettime = ffi.C.clock_gettime
  local timespec = ffi.new('int32_t[4]')
  return function()
    clock_gettime(MONOTONIC, timespec)
    return timespec[0] + timespec[2] * 1e-9
  end
end

-- Asking Python means waiting for its GIL, milliseconds when other threads are busy. So it is asked
-- only when some time must have passed: the script's own work takes CPU time, waiting takes seconds.
local CPU_BETWEEN_S = 0.02

local function clock_of_python()
  local known_s, cpu_then_s, wall_then_s = 0, -1, -1
  return function()
    local cpu_now_s, wall_now_s = cpu_s(), wall_s()
    if cpu_now_s - cpu_then_s >= CPU_BETWEEN_S or wall_now_s ~= wall_then_s then
      known_s, cpu_then_s, wall_then_s = monotonic_s(), cpu_now_s, wall_now_s
    end
    return known_s
  end
end

local is_luajit = jit ~= nil
local now_s = is_luajit and clock_of_luajit() or clock_of_python()
if is_luajit then
  jit.off()
  jit.flush()
end

local limits = {}
local deadline_s = 0
local passed, where = nil, '' -- which limit ('time', 'memory'), and the stack at that moment

local function raise_again()
  error(KILLED, 0)
end

local function memory_is_short()
  if collectgarbage('count') <= soft_limit_kb then
    return false
  end
  collectgarbage('collect')
  return collectgarbage('count') > soft_limit_kb
end

-- Raises when a limit has been passed. Called by the hook, and around every entry into Python: what
-- Python pushes onto the Lua stack is not protected, and would end the process without memory.
function limits.look()
  if not passed then
    if memory_is_short() then -- first, for asking for the time may need memory
      passed = 'memory'
    elseif now_s() >= deadline_s then
      passed = 'time'
    else
      return
    end
    local written, text = pcall(traceback, '', 3)
    where = written and text or '' -- there may be no memory to write it
  end
  sethook(raise_again, '', 1)
  error(KILLED, 0)
end

-- How many bytes may still be given to the script. LuaJIT's strings have less than 2 GB.
function limits.room_bytes()
  if collectgarbage('count') > soft_limit_kb / 2 then
    collectgarbage('collect')
  end
  return min(max(0, (soft_limit_kb - collectgarbage('count')) * 1024), LONGEST_STRING_BYTES)
end

function limits.arm(new_deadline_s)
  passed, where, deadline_s = nil, '', new_deadline_s
  sethook(limits.look, '', INSTRUCTIONS_BETWEEN_LOOKS)
end

-- Every coroutine must be told of: in Lua 5.4 each has a hook of its own, LuaJIT has one for all.
function limits.watch(thread)
  if not is_luajit then
    sethook(thread, limits.look, '', INSTRUCTIONS_BETWEEN_LOOKS)
  end
  return thread
end

-- The limit that the last armed call passed, or nil; and the stack where it did.
function limits.verdict()
  return passed, where
end

return limits
