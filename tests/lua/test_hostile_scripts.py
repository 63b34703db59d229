"""No script takes the gateway's process down, or keeps it from working.

They run in a process of their own, because where the gateway failed, pytest would die with it.
"""

import pytest
from scripting_support import Survival, Survivor


def outcomes(survivor: Survivor, cases: dict[str, str], **settings) -> dict[str, Survival]:
    return dict(zip(cases, survivor.run_all(list(cases.values()), **settings), strict=True))


def kinds(survivor: Survivor, cases: dict[str, str], **settings) -> dict[str, str]:
    return {name: survival.kind for name, survival in outcomes(survivor, cases, **settings).items()}


BOTH = pytest.mark.parametrize("profile", ["trusted", "sandboxed"])
# Lua 5.4 is for the few scripts whose header asks for it.
pytestmark = pytest.mark.parametrize("lua", ["jit", pytest.param("5.4", marks=pytest.mark.long)])

REFUSED = {
    "os.exit": "os.exit(7)",
    "os.setlocale": "os.setlocale('de_DE.UTF-8')",
    "ffi by require": "local ffi = require('ffi') ffi.cast('int*', 0)[0] = 1",
    "ffi by package.preload": "package.preload.ffi()",
    "ffi by package.loaded": "package.loaded.ffi.cast('int*', 0)[0] = 1",
    "the jit library": "jit.on()",
    "the Python bridge": "python.eval('1')",
    "the Python bridge by require": "require('python').eval('1')",
    "the C loader": "package.loadlib('libc.so.6', '*')",
    "C loaders of require": "package.loaders[3]('x')",
    "writing byte code": "string.dump(function() end)",
    "loading byte code": "assert(load('\\27LJ\\2'))",
    "loading byte code from a reader": (
        "local given assert(load(function()"
        " if not given then given = true return '\\27LJ\\2' end end))"
    ),
    "loadstring of byte code": "assert(loadstring('\\27LJ\\2'))",
    "finalizers of files": "getmetatable(io.tmpfile()).__gc = error",
    "the debug registry": "debug.getregistry()",
    "debug.sethook": "debug.sethook()",
    "debug.getupvalue": "debug.getupvalue(print, 1)",
    "debug.setmetatable": "debug.setmetatable('', {})",
    "the function behind debug.getinfo": "debug.getinfo(1, 'f').func()",
    "getfenv": "getfenv(0)",
    "setfenv": "setfenv(1, {})",
    "module": "module('x')",
    "newproxy": "newproxy(true)",
    "Python objects behind a primitive": "Forward.__globals__.x = 1",
    "Python objects behind an error": (
        "local ok, problem = pcall(Forward, nil, 'x') assert(not ok) problem.__traceback__()"
    ),
}


@BOTH
def test_what_would_leave_the_sandbox_is_an_error_of_the_script(survivor, profile, lua):
    open_doors = {
        name: survival
        for name, survival in outcomes(survivor, REFUSED, profile=profile, lua=lua).items()
        if survival.kind != "script-error" or "test.lua:2" not in survival.message
    }

    assert open_doors == {}


MACHINE = [
    "io.open('/etc/passwd')", "os.execute('true')", "os.getenv('HOME')", "os.remove('x')",
    "dofile('/etc/passwd')", "loadfile('/etc/passwd')", "package.loaded.io.open('x')",
    "io.popen('true')", "os.rename('a', 'b')", "os.tmpname()",
]  # fmt: skip


def test_a_sandboxed_script_reaches_nothing_of_the_machine(survivor, lua):
    cases = {body: body for body in MACHINE}

    assert kinds(survivor, cases, profile="sandboxed", lua=lua) == dict.fromkeys(
        cases, "script-error"
    )


PANICS = {
    "a raising __newindex of the globals": (
        "function OnStoredInstance() end"
        " setmetatable(_G, {__newindex = function() error('strict') end})"
    ),
    "no debug and a raising __index": (
        "function OnStoredInstance() debug = nil"
        " setmetatable(_G, {__index = function() error('strict') end}) end"
    ),
    "a raising __index before callbacks are looked up": (
        "function OnStoredInstance() end"
        " setmetatable(_G, {__index = function() error('strict') end})"
    ),
    "a debug.traceback of its own": (
        "function OnStoredInstance() end debug.traceback = function() error('no') end"
    ),
    "an endless __index of the globals": (
        "function OnStoredInstance() end"
        " setmetatable(_G, {__index = function() while true do end end})"
    ),
    "standard libraries that are gone": (
        "function OnStoredInstance() end for name in pairs(_G) do if name ~= 'OnStoredInstance'"
        " and name ~= '_G' and name ~= 'pairs' then _G[name] = nil end end"
    ),
    "standard functions that raise": (
        "local bad = function() error('no') end function OnStoredInstance() end"
        " for _, l in pairs({string, table, math, coroutine, bit}) do"
        " for name in pairs(l) do l[name] = bad end end"
    ),
    "strings with a raising metatable": (
        "getmetatable('').__index = function() error('no') end function OnStoredInstance() end"
    ),
}


@BOTH
def test_globals_made_of_traps_do_not_end_the_process(survivor, profile, lua):
    assert kinds(survivor, PANICS, profile=profile, events=3, lua=lua) == dict.fromkeys(
        PANICS, "fine"
    )


FOREVER = "function() while true do end end"
ENDLESS = {
    "a loop": "while true do end",
    "a loop that swallows errors": f"while true do pcall({FOREVER}) end",
    "a loop with a looping error handler": f"while true do xpcall({FOREVER}, {FOREVER}) end",
    "an error handler that loops": f"xpcall(error, {FOREVER})",
    "a coroutine": f"coroutine.wrap({FOREVER})()",
    "swallowing coroutines": f"while true do coroutine.resume(coroutine.create({FOREVER})) end",
    "__index": f"local x = setmetatable({{}}, {{__index = {FOREVER}}}).x",
    "__newindex": f"setmetatable(tags, {{__newindex = {FOREVER}}}) tags.New = 1",
    "a printed __tostring": f"print(setmetatable({{}}, {{__tostring = {FOREVER}}}))",
    "a comparison": f"table.sort({{3, 2, 1}}, {FOREVER})",
    "a replacement": f"('aaa'):gsub('a', {FOREVER})",
    "a reader": "load(function() return ' ' end)",
    "short calls of C functions": "while true do ('a'):rep(1e4):find('b') end",
    "primitives": "while true do Forward(instanceId, 'archive') end",
    "goto": "::again:: goto again",
    "a coroutine of the main chunk": (
        f"local co = coroutine.wrap(function() coroutine.yield(); ({FOREVER})() end) co()"
        " function OnStoredInstance() co() end"
    ),
    "a variable to be closed": (
        "pcall(load([[local x <close> = setmetatable({}, {__close = function() while true do end"
        " end}) while true do end]]) or print) while true do end"
    ),
    "the main chunk": "while true do end function OnStoredInstance() end",
    "Initialize": f"Initialize = {FOREVER} function OnStoredInstance() end",
    "Finalize": f"Finalize = {FOREVER} function OnStoredInstance() end",
}


def test_a_script_without_end_is_ended_at_its_limit_and_delays_no_other_thread(survivor, lua):
    for name, survival in outcomes(
        survivor, ENDLESS, timeout_s=0.3, memory_mb=4096, lua=lua
    ).items():
        assert survival.kind == "script-timeout", name
        assert "test.lua:" in survival.message, name
        assert "limit of 0.3 s" in survival.message, name
        assert survival.seconds < 10, name
        assert survival.longest_pause_s < 1, name


def test_metamethods_that_loop_are_never_called_with_the_gil_held(survivor, lua):
    source = f"""
      local loop = {FOREVER}
      local trap = {{__metatable = {{}}}}
      for name in ('index newindex tostring len eq lt le call concat pairs ipairs'):gmatch('%w+') do
        trap['__' .. name] = loop
      end
      function OnStoredInstance(instanceId, tags, metadata, origin)
        for _, value in pairs({{tags, tags.Items, metadata, origin, _G}}) do
          setmetatable(value, trap)
        end
        error(setmetatable({{}}, trap))
      end
    """
    survival = survivor.run(source, timeout_s=0.3, lua=lua)

    assert survival.kind == "script-error"
    assert "its __tostring failed" in survival.message
    assert survival.longest_pause_s < 1


def test_finalizers_which_no_limit_can_end_are_closed(survivor, lua):
    endless = f"setmetatable({{}}, {{__gc = {FOREVER}}}) collectgarbage()"
    later = (
        f"local t = {{}} local x = setmetatable({{}}, t) t.__gc = {FOREVER} x = nil"
        " collectgarbage()"
    )

    # LuaJIT's tables have none.
    expected = ["fine" if lua == "jit" else "script-error", "fine"]
    assert [survival.kind for survival in survivor.run_all([endless, later], lua=lua)] == expected


BOMBS = {
    "a table that grows": "local t = {} while true do t[#t + 1] = {} end",
    "strings that are kept": "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
    "a string that doubles": "local s = 'x' while true do s = s .. s end",
    "string.rep": "local s = ('x'):rep(1e9) return #s .. s",
    "table.concat": (
        "local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1e6) end return table.concat(t)"
    ),
    "gsub": "return (('x'):rep(1e6):gsub('x', ('y'):rep(1000)))",
    "swallowed errors": (
        "local t = {} while true do pcall(function() while true do t[#t + 1] = ('x'):rep(1e5) .. #t"
        " end end) end"
    ),
    "coroutines": (
        "local t = {} while true do t[#t + 1] = coroutine.create(function() coroutine.yield() end)"
        " coroutine.resume(t[#t]) end"
    ),
    "closures": "local f = print while true do local g = f f = function() return g end end",
    "many results": "return unpack({}, 1, 1e8)",
    "a format": (
        "local t, long = {}, ('x'):rep(1e4)"
        " while true do t[#t + 1] = string.format('%s%d', long, #t) end"
    ),
}


def test_a_script_that_takes_all_memory_is_ended(survivor, lua):
    found = kinds(survivor, BOMBS, memory_mb=64, timeout_s=20, lua=lua)

    assert found == dict.fromkeys(BOMBS, "script-memory") | {"many results": "script-error"}


@BOTH
def test_memory_that_is_nearly_gone_does_not_end_the_process_when_arguments_are_passed(
    survivor, profile, lua
):
    survival = survivor.run(
        "kept = kept or {} for i = 1, 40 do kept[#kept + 1] = ('x'):rep(1e6) .. #kept end",
        events=50,
        memory_mb=64,
        profile=profile,
        lua=lua,
    )

    assert survival.kind == "script-memory"


def test_memory_that_is_nearly_gone_does_not_end_the_process_when_a_primitive_answers(
    survivor, lua
):
    body = (
        "local kept = {} local function fill() while true do kept[#kept + 1] = ('x'):rep(1e5)"
        " .. #kept end end pcall(fill) for _ = 1, 1e4 do pcall(Forward, instanceId, 'archive') end"
    )

    assert survivor.run(body, memory_mb=32, lua=lua).kind == "script-memory"


RECURSIONS = {
    "a function": "local function f() return 1 + f() end f()",
    "a function in pcall": "local function f() return pcall(f) and f() end f() error('end')",
    "a metamethod": "local t = setmetatable({}, {}) getmetatable(t).__index = function(s, k)"
    " return s[k .. 'x'] end return t.a",
    "gsub": "local function f() return (('a'):gsub('a', f)) end f()",
    "sort": "local function f() table.sort({1, 2}, f) end f()",
    "an error handler": "local function f() xpcall(error, f) end f()",
    "os.time": "local t t = setmetatable({}, {__index = function() return os.time(t) end})"
    " os.time(t)",
    "gsub in coroutines": "local function f() return coroutine.wrap(function()"
    " return (('a'):gsub('a', f)) end)() end f()",
    "__tostring": "local t t = setmetatable({}, {__tostring = function() return tostring(t) end})"
    " print(t)",
    "coroutines": "local function f() return coroutine.wrap(f)() end f()",
    "nested sources": "assert(load(('('):rep(1e5) .. '1' .. (')'):rep(1e5)))",
    "a pattern": "return ('a'):rep(3e5):find(('(a'):rep(40))",
    "require": "require('lib.loop')",
}


def test_recursion_without_end_is_ended(survivor, lua):
    modules = {"lib/loop.lua": "return require('lib.loop')"}

    for name, survival in outcomes(
        survivor, RECURSIONS, modules=modules, timeout_s=1, lua=lua
    ).items():
        assert survival.seconds < 10, name


def test_tables_and_results_of_coroutines_never_reach_python(survivor, lua):
    """lupa keeps the coroutine's state with them, and crashes once it has been collected."""
    body = """
      for _ = 1, 200 do
        local co = coroutine.wrap(function()
          Forward(instanceId, 'archive', {calling_aet = 'A'})
          print({}, print, coroutine.running())
          pcall(Forward, {}, 'archive')
          pcall(Forward, instanceId, 'archive', {calling_aet = {}})
          pcall(Forward, instanceId, 'archive', {[{}] = 1})
          coroutine.yield({})
        end)
        co() co = nil collectgarbage()
      end
      return {}, function() end, coroutine.create(function() end)
    """

    assert survivor.run(body, events=20, lua=lua).kind == "fine"


def test_numbers_that_python_cannot_hold_are_refused_like_any_other(survivor, lua):
    numbers = ["2^63", "-2^63", "1/0", "0/0", "2^1000", "1.5"]
    bodies = [f"Forward(instanceId, 'archive', {{calling_aet = {number}}})" for number in numbers]

    for survival in survivor.run_all(bodies, lua=lua):
        assert survival.kind == "script-error"
        assert "option calling_aet must" in survival.message


def test_what_a_callback_returns_does_no_harm(survivor, lua):
    values = ["2^63", "1/0", "{}", "'\\255\\254'", "function() end", "nil", "1, 2, 3"]

    survivals = survivor.run_all([f"return {value}" for value in values], lua=lua)

    assert [survival.kind for survival in survivals] == ["fine"] * len(values)


def test_an_error_of_any_type_becomes_text(survivor, lua):
    expected = {
        "{code = 3, message = 'lost'}": "lost",
        "nil": "nil",
        "42": "42",
        "true": "true",
        "setmetatable({}, {__tostring = function() return 'my own' end})": "my own",
        "'\\255 is not UTF-8'": "\N{REPLACEMENT CHARACTER} is not UTF-8",
    }

    survivals = survivor.run_all([f"error({value}, 0)" for value in expected], lua=lua)

    assert [survival.message for survival in survivals] == list(expected.values())


def test_a_command_left_open_stops_no_thread_when_its_runtime_ends(survivor, lua):
    """LuaJIT's own io.popen would wait for it in the garbage collector, with the GIL held."""
    survival = survivor.run("kept = io.popen('sleep 3')", lua=lua)

    assert survival.kind == "fine"
    assert survival.longest_pause_s < 1
    assert survival.seconds < 2


def test_standard_files_of_the_process_cannot_be_closed(survivor, lua):
    """Else the next file opened, such as the index, would get the descriptor that logs go to."""
    survival = survivor.run(
        "io.stdout:close() io.stderr:close() pcall(io.close) io.stderr:write('still here')",
        lua=lua,
    )

    assert survival.kind == "fine"


def test_dates_that_no_calendar_knows_do_no_harm(survivor, lua):
    bodies = [
        f"pcall(os.date, '*t', {moment}) pcall(os.date, '!%c', {moment})"
        for moment in ("1e300", "-1e300", "0/0", "2^62")
    ]

    assert [survival.kind for survival in survivor.run_all(bodies, lua=lua)] == ["fine"] * len(
        bodies
    )
