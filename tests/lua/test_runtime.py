"""What a script may count on: arguments, text, errors, modules, the language."""

import os
import time

import pytest
from scripting_support import INSTANCE_ID, load, make_event, on_stored_instance, said, steps_of

from gateway.errors import ScriptError, ScriptSyntaxError, ScriptTimedOut


def error_of(body: str, **options) -> ScriptError:
    with pytest.raises(ScriptError) as raised:
        steps_of(body, **options)
    return raised.value


# --- arguments -------------------------------------------------------------------------------


def test_a_callback_gets_id_tags_metadata_and_origin():
    words = said(
        "print(instanceId, tags.PatientName, metadata.TransferSyntax, origin.RequestOrigin,"
        " origin.RemoteAet, origin.RemoteIp, origin.CalledAet, origin.Username)",
        event=make_event(1, TransferSyntax="1.2.840.10008.1.2.1"),
        tags={"PatientName": "Doe^Jane"},
    )

    assert words == [
        f"{INSTANCE_ID}, Doe^Jane, 1.2.840.10008.1.2.1, DicomProtocol, MODALITY, 10.1.2.3,"
        " GATEWAY, nil"
    ]


def test_what_is_absent_reads_nil_and_what_is_empty_reads_empty():
    assert said(
        "print(tags.Absent, tags.Empty == '', metadata.Misspelt, origin.remoteAet)",
        tags={"Empty": ""},
    ) == ["nil, true, nil, nil"]


def test_sequences_are_arrays_of_tables():
    tags = {"Codes": [{"Value": "A"}, {"Value": "B", "Inner": [{"Value": "C"}]}], "None": []}

    assert said(
        "print(#tags.Codes, tags.Codes[1].Value, tags.Codes[2].Inner[1].Value, #tags.None)",
        tags=tags,
    ) == ["2, A, C, 0"]


def test_text_is_utf8_both_ways():
    name = "Müller^ゆり"

    assert said(
        "print(tags.Name, #tags.Name, tags['Größe'])", tags={"Name": name, "Größe": "1"}
    ) == [f"{name}, {len(name.encode())}, 1"]


def test_bytes_that_are_not_utf8_can_be_printed():
    assert said("print('\\255ab')") == ["\N{REPLACEMENT CHARACTER}ab"]


# --- loading ---------------------------------------------------------------------------------


@pytest.mark.parametrize("preamble", [b"\xef\xbb\xbf", b"#!/usr/bin/lua\n", b"\xef\xbb\xbf#!lua\n"])
def test_a_byte_order_mark_and_a_shebang_are_no_errors(preamble):
    load(preamble + b"x = 1")


def test_lines_are_counted_after_a_shebang():
    with pytest.raises(ScriptError, match=r"test\.lua:3: "):
        load(b"#!/usr/bin/lua\n\nerror('here')")


def test_a_syntax_error_has_file_and_line():
    with pytest.raises(ScriptSyntaxError, match=r"test\.lua:2: .*near"):
        load("x = 1\ny = = 2")


def test_byte_code_is_refused_as_a_script():
    with pytest.raises(ScriptSyntaxError, match="byte code is refused"):
        load(b"\x1bLJ\x02")


def test_initialize_runs_after_the_main_chunk_and_finalize_at_the_end():
    loaded = load(
        "local order = {'main'} function Initialize() order[#order + 1] = 'initialize' end"
        " function Finalize() error(table.concat(order, ' ')) end"
    )

    assert loaded.callbacks == ("Initialize", "Finalize")
    with pytest.raises(ScriptError, match="main initialize"):
        loaded.finalize()


def test_globals_and_locals_of_the_file_live_from_event_to_event():
    loaded = load(
        "local a = 0 b = 0 function OnStoredInstance(id) a = a + 1 b = b + 1"
        " if a + b == 6 then Delete(id) end end"
    )

    assert [len(on_stored_instance(loaded, make_event(n), {})) for n in range(3)] == [0, 0, 1]


# --- modules ---------------------------------------------------------------------------------

MODULES = {
    "lib/names.lua": "return {pacs = 'archive'}",
    "lib/deep/init.lua": "return 'deep'",
    "lib/nothing.lua": "seen = (seen or 0) + 1",
    "lib/broken.lua": "local x =\n=",
    "lib/raising.lua": "\nerror('no luck')",
    "lib/name.lua": "return ...",
}


@pytest.mark.parametrize("profile", ["trusted", "sandboxed"])
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("require('lib.names').pacs", "archive"),
        ("require('lib/names').pacs", "archive"),
        ("require('lib.names') == require('lib.names')", "true"),
        ("require('lib.deep')", "deep"),
        ("require('lib.name')", "lib.name"),
        ("require('lib.nothing'), require('lib.nothing'), seen", "true, true, 1"),
        ("require('string') == string, require('_G') == _G", "true, true"),
    ],
)
def test_modules_come_from_the_script_folder(expression, expected, profile):
    assert said(f"print({expression})", modules=MODULES, profile=profile) == [expected]


def test_a_module_that_is_missing_is_named_with_the_line_that_wants_it():
    error = error_of("\nrequire('lib.none')", modules=MODULES)

    assert str(error).startswith("test.lua:2: module 'lib.none' not found")


def test_a_module_outside_of_the_folder_does_not_exist():
    for name in ("/etc/passwd", "../secret", "..secret", "lib/../../x"):
        assert "not found" in str(error_of(f"require('{name}')"))


def test_errors_of_a_module_have_its_file_and_line():
    assert "lib/broken.lua:2:" in str(error_of("require('lib.broken')", modules=MODULES))
    assert "lib/raising.lua:2: no luck" in str(error_of("require('lib.raising')", modules=MODULES))


# --- errors ------------------------------------------------------------------------------------


def test_an_error_has_file_line_and_the_stack_of_the_script_alone():
    error = error_of("\nlocal function inner()\n  local x = nil\n  x.y = 1\nend\ninner() x = 1")

    assert str(error) == "test.lua:4: attempt to index local 'x' (a nil value)"
    assert "test.lua:4: in function 'inner'" in error.traceback
    assert "test.lua:6: in function" in error.traceback
    assert "gateway/" not in error.traceback


def test_an_error_inside_a_library_function_of_ours_names_the_line_of_the_script():
    assert str(error_of("\nlocal x = ('a'):gsub('%', print)")).startswith(
        "test.lua:2: malformed pattern"
    )


def test_a_time_out_says_where_the_script_was():
    error = error_of("\nwhile true do\nend", timeout_s=0.2)

    assert isinstance(error, ScriptTimedOut)
    assert str(error) == "test.lua:2: ran longer than its limit of 0.2 s"


def test_the_time_limit_is_kept_to_a_fraction_of_a_second():
    began, began_cpu = time.monotonic(), time.process_time()

    error_of("while true do end", timeout_s=0.3)

    assert time.monotonic() - began > 0.29
    assert time.process_time() - began_cpu < 1  # whatever else the machine is busy with


# --- os.execute ----------------------------------------------------------------------------------


def test_os_execute_answers_as_lua_5_2_does():
    assert said(
        "print(os.execute()) print(os.execute('true')) print(os.execute('exit 3'))"
        " print(os.execute('kill -9 $$')) print(os.execute('false') or 'failed')"
    ) == ["true", "true, exit, 0", "nil, exit, 3", "nil, signal, 9", "failed"]


def test_commands_leave_the_processor_to_those_who_wait_for_an_answer():
    is_nice = '[ "$(nice)" -gt 0 ]'
    assert said(f"print(os.execute('until {is_nice}; do :; done'))") == ["true, exit, 0"]


def test_a_command_that_runs_past_the_limit_is_killed_with_its_children(tmp_path):
    pids = tmp_path / "pids"
    command = f"sleep 60 & echo $! > {pids}; echo $$ >> {pids}; sleep 60"

    error = error_of(f"os.execute('{command}')", timeout_s=0.5)

    assert isinstance(error, ScriptTimedOut)
    for pid in pids.read_text().split():
        assert ends_soon(int(pid))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("local f = io.popen('printf \"a\\\\nbc\\\\n\\\\nd\"')"
         " print(f:read(), f:read('*L'), f:read('l'), f:read('*a'), f:read('*a'), f:read())",
         "a, bc\n, , d, , nil"),
        ("local f = io.popen('echo 12 -3.5 x') print(f:read('*n', 'n', 'n'))",
         "12, -3.5, nil"),
        ("local f = io.popen('printf abcd') print(f:read(3), f:read(0), f:read(3), f:read(0))",
         "abc, , d, nil"),
        ("local t = {} for line in io.popen('echo a; echo b'):lines() do t[#t + 1] = line end"
         " print(#t, t[1], t[2])", "2, a, b"),
        ("local f = io.popen('exit 4') print(f:close())", "nil, exit, 4"),
        ("local f = io.popen('cat; true', 'w') print(f:write('') == f, io.close(f))",
         "true, true, exit, 0"),
        ("local f = io.popen('true') print(io.type(f), f) f:close() print(io.type(f), f)",
         "file, file (pipe)"),
        ("local f = io.popen('true', 'w') os.execute('sleep 0.2')"
         " print(f:write(('x'):rep(1e6)))", "nil, Broken pipe"),
        ("print(#io.popen('head -c 300000 /dev/zero'):read('*a'))", "300000"),
        ("print(#io.popen('printf \"\\\\377\\\\376\"'):read('*a'))", "2"),
        ("print(io.popen('echo $0; cat'):read('*a'))", "/bin/sh\n"),
    ],
)  # fmt: skip
def test_io_popen_reads_and_writes_as_a_file_does(body, expected):
    assert said(body)[0] == expected


def test_io_popen_writes_any_bytes(tmp_path):
    steps_of(
        f"local f = io.popen('cat > {tmp_path}/out', 'w') f:write('\\255ä', 1, '\\0') f:close()"
    )

    assert (tmp_path / "out").read_bytes() == b"\xff" + "ä".encode() + b"1\0"


@pytest.mark.parametrize("call", ["read('*a')", "close()"])
def test_a_pipe_is_waited_for_until_the_limit_and_no_longer(call):
    error = error_of(f"local f = io.popen('sleep 60')\nf:{call}", timeout_s=0.3)

    assert isinstance(error, ScriptTimedOut)
    assert str(error).startswith("test.lua:")


def test_a_pipe_that_is_full_is_waited_for_until_the_limit():
    error = error_of("io.popen('sleep 60', 'w'):write(('x'):rep(1e6))", timeout_s=0.3)

    assert isinstance(error, ScriptTimedOut)


@pytest.mark.parametrize(
    ("body", "message"),
    [("io.popen('true', 'x')", "io.popen: invalid mode"),
     ("local f = io.popen('true') f:close() f:read()", "attempt to use a closed file"),
     ("io.popen('true').read()", "use pipe:read(), with a colon"),
     ("io.popen('true'):read('*x')", "invalid format"),
     ("io.popen('a\\0b')", "cannot start a shell"),
     ("os.execute('a\\0b')", "cannot start a shell")],
)  # fmt: skip
def test_wrong_use_of_commands_is_an_error_at_its_line(body, message):
    error = error_of(f"\n{body}")

    assert str(error).startswith("test.lua:2: ")
    assert message in str(error)


def test_commands_left_open_are_killed_when_the_runtime_ends(tmp_path):
    loaded = load(f"kept = io.popen('echo $$ > {tmp_path}/pid; echo; sleep 60') kept:read()")

    loaded.close()

    assert ends_soon(int((tmp_path / "pid").read_text()))


def ends_soon(pid: int) -> bool:
    """True when the process is gone, or a zombie that only init has still to collect."""
    for _ in range(500):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                if stat.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        os.sched_yield()
        time.sleep(0.01)
    return False


# --- the language ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1e14, 1e15, 2^53, -1e15, 99999999999999", "100000000000000, 1000000000000000,"
         " 9007199254740992, -1000000000000000, 99999999999999"),
        ("tostring(1e15), ('%s %d %5.1f'):format(1e15, 1e15, 2.25)",
         "1000000000000000, 1000000000000000 1000000000000000   2.2"),
        ("1e300, 0.5, 10 / 2, 1 / 0", "1e+300, 0.5, 5, inf"),
        ("('%s'):format(setmetatable({}, {__tostring = function() return 'mine' end}))", "mine"),
        ("select('#', tostring(nil))", "1"),
        ("table.unpack({1, 2, 3}, 2)", "2, 3"),
        ("table.pack(nil, 2, nil).n", "3"),
        ("math.type(3), math.type(3.5), math.type('3')", "integer, float, nil"),
        ("math.tointeger(3.0), math.tointeger(3.5), math.maxinteger", "3, nil, 9007199254740991"),
        ("rawlen({1, 2}), rawlen('abc')", "2, 3"),
        ("bit32.band(0xFF, 0x0F), bit32.band(), bit32.bor(1, 2, 4), bit32.bxor(5, 1)",
         "15, 4294967295, 7, 4"),
        ("bit32.bnot(0), bit32.lshift(1, 31), bit32.lshift(1, 32), bit32.rshift(0x80000000, 31)",
         "4294967295, 2147483648, 0, 1"),
        ("bit32.arshift(0x80000000, 31), bit32.lrotate(0x80000001, 1), bit32.rrotate(1, 1)",
         "4294967295, 3, 2147483648"),
        ("bit32.extract(0xABCD, 4, 8), bit32.replace(0xABCD, 0, 4, 8), bit32.btest(6, 1)",
         "188, 40973, false"),
        ("utf8.char(72, 228, 8364, 128512), utf8.len('Hä€😀'), utf8.codepoint('ä€', 1, -1)",
         "Hä€😀, 4, 228, 8364"),
        ("utf8.len('\\237\\160\\128'), utf8.len('\\192\\128')", "nil, nil, 1"),
        ("select(2, utf8.len('a\\255'))", "2"),
        ("utf8.offset('aä€', 3), utf8.offset('aä€', -1), utf8.offset('aä', 5)", "4, 4, nil"),
        ("('ä€x'):gsub(utf8.charpattern, function(c) return #c end)", "231, 3"),
        ("load('return ...', 'chunk', 't', {})(7), loadstring('return 8')()", "7, 8"),
        ("load(function() end)", "function"),
        ("select('#', load('x ='))", "2"),
        ("xpcall(function(a) return a end, print, 5)", "true, 5"),
        ("xpcall(error, function(e) return 'handled ' .. e end, 'it')", "false, handled it"),
        ("pcall(error, {code = 1})", "false, table"),
        ("coroutine.wrap(function(a) return coroutine.yield(a + 1) end)(1)", "2"),
        ("pcall(coroutine.wrap(function() error('x', 0) end))", "false, x"),
        ("os.time({year = 2020, month = 1, day = 1, hour = 12}) > 0, os.date('!%Y', 0)",
         "true, 1970"),
        ("#debug.traceback('x') > 0, debug.getinfo(1, 'l').currentline", "true, 1"),
        ("type(package.path), package.loaded.string == string", "string, true"),
        ("math.ult(1, 2), math.ult(-1, 2), math.tointeger('8'), math.tointeger('x')",
         "true, false, 8, nil"),
        ("tonumber('inf'), tonumber('-nan'), tonumber('0b1'), tonumber('0xB'), tonumber('b', 16)",
         "nil, nil, nil, 11, 11"),
        ("('1.2\\0\\0'):gsub('\\0+$', '')", "1.2, 1"),
        ("('a\\0b\\1c'):gsub('[\\0-\\31]', '-')", "a-b-c, 2"),
        ("(']\\0x'):gsub('[]\\0]', '-')", "--x, 2"),
        ("(('a\\0b'):find('\\0', 1, true)), (('a\\0b'):match('^([^\\0]*)\\0'))", "2, a"),
        ("pcall(string.format, '%d', 3.5)",
         "false, bad argument #2 to 'format' (number has no integer representation)"),
        ("('%d%% %5.1f %d'):format(1, 2.5, 3)", "1%   2.5 3"),
        ("pcall(string.rep, 'ab', 2^31)", "false, resulting string too large"),
        ("('x'):rep(3, ', '), ('x'):rep(-1)", "x, x, x, "),
        ("table.concat(table.move({1, 2, 3}, 1, 3, 2), ' '), table.concat({1, 2.5}, ' ')",
         "1 1 2 3, 1 2.5"),
        ("select('#', pairs(setmetatable({}, {__pairs = function(t) return next, {9}, nil end})))",
         "3"),
        ("ipairs(setmetatable({}, {__index = function(_, i) return i end}))(nil or {7}, 0)",
         "1, 7"),
        ("io.tmpfile():write('a'):write('b'):seek('cur')", "2"),
        ("tostring(nil), type(io.tmpfile():write(1):lines('l'))", "nil, function"),
    ],
)  # fmt: skip
def test_what_scripts_for_lua_5_3_expect_is_there(expression, expected):
    (words,) = said(f"print({expression})")

    assert words == expected or words.startswith(f"{expected}: 0x")


GSUB = [
    ("abc", "%w", "2"), ("abc", "", "3"), ("hello world", "o", "1"), ("abc", "^a", "2"),
    ("", "", "1"),
    ("aaa", "^a", "5"), ("abc", "b*", "9"), ("a.b", "%.", "9"), ("abc", "(a)(b)", "9"),
    ("abc", "()b", "9"), ("THE (quick) fox", "%((%a+)%)", "9"), ("xx", "x*", "9"),
    ("abc", "%f[%w]%w+", "9"), ("a,b,,c", ",?", "9"), ("abc", "$", "9"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "pattern", "limit"), GSUB)
def test_gsub_with_a_function_finds_what_gsub_with_text_finds(text, pattern, limit):
    arguments = f"'{text}', '{pattern}'"

    assert said(f"print(string.gsub({arguments}, function(m) return '[]' end, {limit}))") == said(
        f"print(string.gsub({arguments}, '[]', {limit}))"
    )


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("('a-b'):gsub('%w', {a = 'A', b = false})", "A-b, 2"),
        ("('ab'):gsub('(a)(b)', function(x, y) return y .. x end)", "ba, 1"),
        ("('abc'):gsub('%w', function(c) if c == 'b' then return 7 end end)", "a7c, 3"),
        ("('ab'):gsub('()', function(p) return p end)", "1a2b3, 3"),
    ],
)
def test_gsub_replaces_with_functions_and_tables(expression, expected):
    assert said(f"print({expression})") == [expected]


def test_gsub_refuses_what_is_no_text():
    assert "invalid replacement value (a table)" in str(
        error_of("return (('a'):gsub('a', function() return {} end))")
    )


def test_a_trusted_script_may_use_files_and_commands(tmp_path):
    path = tmp_path / "x.lua"
    words = said(
        f"local f = io.open('{path}', 'w') f:write('return 41') f:close()"
        f" print(dofile('{path}') + 1, loadfile('{path}')(), io.popen('echo hi'):read('*l'),"
        f" os.getenv('PATH') ~= nil, os.remove('{path}'))"
    )

    assert words == ["42, 41, hi, true, true"]
