"""Functions answer nil and a reason, which Orthanc's do not: nobody who hands both on is hurt."""

import pytest
from scripting_support import said

from gateway.errors import ScriptError

FAILED = "ParseJson('rubbish')"


@pytest.mark.parametrize("lua", ["jit", "5.4"])
@pytest.mark.parametrize(
    ("lines", "printed"),
    [
        (f"print(DumpJson({FAILED}))", "null"),
        (f"PrintRecursive({FAILED})", "nil, nil"),
        (f"print(tonumber({FAILED}))", "nil"),
        (f"local t = {{}} table.insert(t, {FAILED}) table.insert(t, 'a') print(#t, t[1])", "1, a"),
    ],
)
def test_a_reason_that_is_handed_on_means_nothing(lines, printed, lua):
    assert said(f"-- gateway: lua={lua}\n{lines}" if lua == "5.4" else lines) == [printed]


def test_what_has_a_meaning_keeps_it():
    assert said("print(tonumber('11', 2), tonumber('x', 16), DumpJson('1', true))") == [
        '3, nil, "1"'
    ]
    assert said("local t = {'a'} table.insert(t, 1, 'b') table.insert(t, 'c') print(#t, t[1])") == [
        "3, b"
    ]


@pytest.mark.parametrize(
    "call", ["table.insert({}, 'x', 'y')", "table.insert(nil, 1)", "table.insert({})"]
)
def test_an_error_is_still_one_at_the_scripts_line(call):
    with pytest.raises(ScriptError, match=r"test\.lua:2: bad argument|wrong number"):
        said(f"\n{call}")
