"""ParseJson, DumpJson and PrintRecursive. tests/peers/test_orthanc_lua_json.py asks Orthanc."""

import json
import time

import pytest
from scripting_support import said

from gateway.errors import ScriptError, ScriptTimedOut


def printed(expression: str, **options) -> str:
    return "\n".join(said(f"print({expression})", **options))


BOTH = pytest.mark.parametrize("profile", ["trusted", "sandboxed"])


@BOTH
def test_json_is_there_in_both_profiles(profile):
    assert printed("ParseJson('[1,2]')[2], DumpJson({a = 'b'})", profile=profile) == '2, {"a":"b"}'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: the text ends where a value is expected"),
        ("[1,\\n2", "line 2: ',' or the end of the array expected"),
        ('{"a" 1}', "line 1: ':' expected"),
        ("{a:1}", "line 1: a name in double quotes, or '}' expected"),
        ('["\\\\x"]', "line 1: an unknown escape in a string"),
        ('"\\\\ud83d"', "line 1: half of a surrogate pair"),
        ('"\\\\u12"', "line 1: \\u takes four hexadecimal digits"),
        ('"abc', "line 1: a string without end"),
        ("[1e400]", "line 1: not a number: 1e400"),
        ("[1,,2]", "line 1: a value expected"),
        ("/* a", "line 1: a comment without end, or a stray /"),
        ("nul", "line 1: null expected"),
    ],
)
def test_text_that_is_no_json_is_nil_and_says_what_is_wrong(text, problem):
    assert printed(f"ParseJson('{text}')") == f"nil, {problem}"


def test_a_wrong_call_is_nil_and_says_what_is_wrong():
    assert printed("ParseJson(nil)") == "nil, ParseJson takes one string"
    assert printed("DumpJson('1', 'true')") == "nil, DumpJson takes a value, and true or false"


def test_a_null_is_no_error():
    assert printed("select('#', ParseJson('null'))") == "1"


@pytest.mark.parametrize("value", ["{[true] = 1}", "{a = {[print] = 1}}"])
def test_a_table_that_json_cannot_hold_is_an_error_at_the_scripts_line(value):
    with pytest.raises(ScriptError, match=r"test\.lua:1: DumpJson: a \w+ cannot be a key"):
        said(f"DumpJson({value})")


def test_what_was_dumped_reads_as_it_was():
    values = {"text": 'a"\\/\b\f\n\r\t\x01 Größe ゆり 😀', "list": [1, 2.5, True, [], {"x": "y"}]}
    tags = {"Json": json.dumps(values)}

    answer = printed("DumpJson(ParseJson(DumpJson(ParseJson(tags.Json))))", tags=tags)

    assert json.loads(answer) == values | {"list": [1, 2.5, True, [], {"x": "y"}]}


def test_strings_stay_strings_when_asked_to():
    table = "{'1', id = '0012', [5] = 1.5}"

    assert printed(f"DumpJson({table})") == '{"1":1,"5":1.5,"id":12}'
    assert printed(f"DumpJson({table}, true)") == '{"1":"1","5":"1.5","id":"0012"}'


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_read_to_its_limit(opening, closing):
    def parsed(levels: int) -> str:
        text = f"('{opening}'):rep({levels}) .. '1' .. ('{closing}'):rep({levels})"
        return printed(f"(select(2, ParseJson({text})))")

    assert parsed(500) == "nil"
    assert parsed(501) == "line 1: nested too deeply"
    assert parsed(1_000_000) == "line 1: nested too deeply"


def test_deep_nesting_is_read_by_a_script_that_is_deep_in_itself():
    body = (
        "local text = ('['):rep(500) .. (']'):rep(500)"
        " local function deep(n) if n == 0 then return DumpJson(ParseJson(text)) end"
        " local dumped = deep(n - 1) return dumped end"
        " print(pcall(deep, 4000))"
    )

    assert said(body) == ["true, " + "[" * 500 + "]" * 500]


def test_a_table_in_itself_is_an_error_to_dump_and_told_when_printed():
    with pytest.raises(
        ScriptError, match=r"test\.lua:1: DumpJson: nested too deeply, or in itself"
    ):
        said("local t = {} t[1] = t DumpJson(t)")
    assert said("local t = {} t.me = t PrintRecursive(t)") == [
        "table", "\t[me], table, in itself",
    ]  # fmt: skip
    assert said("local t = {} for i = 1, 5 do t[i] = t end PrintRecursive(t, 1)") == [
        "table", "\t[1], table, in itself", "ERROR: Item limit reached.",
    ]  # fmt: skip


def test_a_megabyte_is_read_and_written_in_well_under_a_second():
    study = {
        "ID": "66a662ce-7430e543-bad44d47-0dc5a943-ec7a538d", "IsStable": True,
        "MainDicomTags": {"StudyDate": "20260131", "StudyDescription": 'Größe "x"'},
        "Series": [f"series-{number}" for number in range(9)], "Type": "Study",
    }  # fmt: skip
    text = json.dumps([study] * 3000, indent=1)
    assert len(text) > 1_000_000

    began = time.process_time()
    words = said(
        "local all = ParseJson(tags.Text) print(#all, #DumpJson(all))", tags={"Text": text}
    )

    assert time.process_time() - began < 1.0
    assert words[0].startswith("3000, ")


def test_the_time_limit_holds_while_json_is_read():
    with pytest.raises(ScriptTimedOut):
        said("local text = '[' .. ('1,'):rep(1e6) .. '1]' while true do ParseJson(text) end",
             timeout_s=0.3)  # fmt: skip


@BOTH
def test_the_memory_limit_holds_while_json_is_read(survivor, profile):
    body = "local all = {} while true do all[#all + 1] = ParseJson('[[],[],{\"a\":[]}]') end"

    assert survivor.run(body, memory_mb=32, profile=profile).kind == "script-memory"


def test_metatables_are_passed_over():
    trap = "{__index = error, __len = error, __tostring = error, __pairs = error}"

    assert printed(f"DumpJson(setmetatable({{1, a = 2}}, {trap}))") == '{"1":1,"a":2}'


def test_a_print_of_the_scripts_own_is_used_for_printing_all():
    body = (
        "local lines = {} local old = print function print(...) lines[#lines + 1] = {...} end"
        " PrintRecursive({a = 1}) old(#lines, lines[2][1])"
    )

    assert said(body) == ["2, \t[a]"]


def test_print_writes_nothing_before_the_first_word_that_is_not_empty():
    assert said("print('', 'a', '', 'b') print('', '')") == ["a, , b", ""]
