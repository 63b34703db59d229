-- The time and memory limits of one runtime.
--
-- LuaJIT calls a count hook only in interpreted code, so the compiler is off in every runtime. The
-- hook looks at the clock and at the memory in use; when a limit is passed it raises, and from then
-- on it raises at every single instruction: a script that swallows the error with pcall in a loop
-- gets no further than the next instruction.
--
-- Argument: the soft memory limit in KB. The allocator's own, harder limit is set from Python.
local soft_limit_kb = ...

local ffi = require('ffi')
local error, pcall = error, pcall
local sethook, traceback = debug.sethook, debug.traceback
local collectgarbage, max, min = collectgarbage, math.max, math.min

local INSTRUCTIONS_BETWEEN_LOOKS = 1000
local LONGEST_STRING_BYTES = 2 ^ 31 - 2 ^ 16
local KILLED = 'the gateway ended this script' -- a constant: raising it needs no memory

-- os.time() counts whole seconds and os.clock() the CPU time of all threads. The monotonic clock is
-- the one that Python's time.monotonic() reads. Two 32-bit views of the timespec, because reading a
-- 64-bit field would allocate, and memory may be what has run out.
ffi.cdef('int clock_gettime(int clock, void *timespec);')
local MONOTONIC = ffi.os == 'OSX' and 6 or 1
local clock_gettime = ffi.C.clock_gettime
local timespec = ffi.new('int32_t[4]')

local function now_s()
  clock_gettime(MONOTONIC, timespec)
  return timespec[0] + timespec[2] * 1e-9
end

jit.off()
jit.flush()

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
    if now_s() >= deadline_s then
      passed = 'time'
    elseif memory_is_short() then
      passed = 'memory'
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

-- The limit that the last armed call passed, or nil; and the stack where it did.
function limits.verdict()
  return passed, where
end

return limits
