"""Scripts that ask for Lua 5.4: what is theirs, and what is as in LuaJIT.

That no such script takes the process down is shown by test_hostile_scripts.py, for both.
"""

import pytest
from scripting_support import load, make_event, on_stored_instance, said, steps_of

from gateway.errors import ScriptError, ScriptSyntaxError


def printed(expression: str, **options) -> str:
    return "\n".join(said(f"print({expression})", lua="5.4", **options))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("_VERSION, 7 // 2, 7 & 3, 1 << 40, ~0, 10 / 2, 3 | 4", "Lua 5.4, 3, 3, 1099511627776, -1,"
         " 5.0, 7"),
        ("9007199254740993, math.maxinteger, 1e15, math.type(3), math.type(3.0)",
         "9007199254740993, 9223372036854775807, 1e+15, integer, float"),
        ("bit32.band(0xFF, 0x0F), bit32.band(), bit32.bor(1, 2, 4), bit32.bxor(5, 1)",
         "15, 4294967295, 7, 4"),
        ("bit32.bnot(0), bit32.lshift(1, 31), bit32.lshift(1, 32), bit32.rshift(0x80000000, 31)",
         "4294967295, 2147483648, 0, 1"),
        ("bit32.rshift(-1, 28), bit32.lshift(8, -2), bit32.rshift(1, -4)", "15, 2, 16"),
        ("bit32.arshift(0x80000000, 31), bit32.arshift(-8, 1), bit32.arshift(8, 2)",
         "4294967295, 4294967292, 2"),
        ("bit32.lrotate(0x80000001, 1), bit32.rrotate(1, 1), bit32.lrotate(1, 33)",
         "3, 2147483648, 2"),
        ("bit32.extract(0xABCD, 4, 8), bit32.replace(0xABCD, 0, 4, 8), bit32.btest(6, 1)",
         "188, 40973, false"),
        ("math.pow(2, 3), math.ldexp(1, 3), math.log10(1000) > 2.99", "8.0, 8.0, true"),
        ("string.pack('>I2', 258):byte(1, -1)", "1, 2"),
        ("#setmetatable({}, {__len = function() return 7 end})", "7"),
        ("('a\\0b'):gsub('\\0', 'x')", "axb, 1"),
        ("('hello'):gsub('l', function(c) return c:upper() end)", "heLLo, 2"),
        ("ParseJson('[1, 2.5]')[1], DumpJson({1, 2.5, '3'}), DumpJson({1, 2.0}, true)",
         '1.0, [1,2.5,3], ["1","2.0"]'),
        ("os.execute('exit 3')", "nil, exit, 3"),
        ("io.popen('echo a; echo b'):read('l', 'a')", "a, b\n"),
        ("coroutine.wrap(function(a) return coroutine.yield(a + 1) end)(1)", "2"),
        ("pcall(error, 'x', 0)", "false, x"),
        ("load('return 7 // 2')()", "3"),
    ],
)  # fmt: skip
def test_the_language_is_lua_5_4(expression, expected):
    assert printed(expression) == expected


def test_the_header_of_a_script_asks_for_it():
    source = (
        "-- gateway: lua=5.4\nfunction OnStoredInstance(id) if 7 // 2 == 3 then Delete(id) end end"
    )

    loaded = load(source)

    assert len(on_stored_instance(loaded, make_event(), {})) == 1


def test_without_it_the_error_says_how_to_ask():
    with pytest.raises(ScriptSyntaxError, match=r"test\.lua:1: .* near '/': .*gateway: lua=5\.4"):
        load("x = 7 // 2")
    with pytest.raises(ScriptSyntaxError) as raised:
        load("x = = 2")
    assert "lua=5.4" not in str(raised.value)


def test_an_error_has_file_line_and_the_stack_of_the_script():
    with pytest.raises(ScriptError, match=r"test\.lua:\d+: .*'nope'") as raised:
        steps_of("local function inner() nope() end inner()", lua="5.4")

    assert "test.lua" in raised.value.traceback
    assert "gateway/" not in raised.value.traceback


def test_modules_are_read_in_the_same_language():
    modules = {"lib/half.lua": "return 7 // 2"}

    assert printed("require('lib.half')", modules=modules) == "3"


def test_a_finalizer_is_refused():
    with pytest.raises(ScriptError, match=r"test\.lua:1: __gc is closed"):
        said("setmetatable({}, {__gc = print})", lua="5.4")
