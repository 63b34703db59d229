"""The language beside a real Orthanc, which has Lua 5.3: the same lines, the same prints."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lua_lines import differences
from orthanc_peer import ORTHANC, Server, orthanc_running

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
]


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("language") / "orthanc"
    with orthanc_running(folder, ExecuteLuaEnabled=True) as server:
        yield server


LINES = Path(__file__).with_name("lines_of_lua.lua").read_bytes().splitlines()


def test_every_line_prints_what_it_prints_in_orthanc(orthanc):
    assert differences(orthanc, LINES, profile="trusted") == {}


# Ours first; docs/differences-from-orthanc.md tells the reasons.
UNLIKE = {
    b"print(1.0, 10 / 2, 3.0 * 2, '10' + 5)": ("1, 5, 6, 15\n", "1.0, 5.0, 6.0, 15.0\n"),
    b"print(1e14, 2 ^ 53)": ("100000000000000, 9007199254740992\n", "1e+14, 9.007199254741e+15\n"),
    b"print(9007199254740993)": ("9007199254740992\n", "9007199254740993\n"),
    b"print(#setmetatable({}, {__len = function() return 7 end}))": ("0\n", "7\n"),
    b"print(_VERSION)": ("Lua 5.1\n", "Lua 5.3\n"),
    b"print(string.pack)": ("nil\n", None),
    b"print(unpack ~= nil, loadstring ~= nil)": ("true, true\n", "false, false\n"),
}


def test_what_is_known_to_differ_does_differ(orthanc):
    found = differences(orthanc, UNLIKE, profile="trusted")

    assert {line: ours for line, (ours, _) in found.items()} == {
        line: ours for line, (ours, _) in UNLIKE.items()
    }
    assert all(found[line][1] == theirs for line, (_, theirs) in UNLIKE.items() if theirs)


def test_what_a_script_writes_and_reads_line_by_line_is_the_same(orthanc, tmp_path: Path):
    path = str(tmp_path / "lines.txt").encode()
    lines = [
        b"print(io.open('%s', 'w'):write('a\\n', 1, '\\n'):close())" % path,
        b"for line in io.lines('%s') do print(line) end" % path,
        b"for line in io.lines('%s', 'L') do print(line) end" % path,
        b"for a, b in io.lines('%s', 1, 'l') do print(a, b) end" % path,
        b"local f = io.open('%s', 'rb') print(f:read('*all')) f:close()" % path,
        b"print(io.popen('echo a; echo b; exit 2'):read('l', 'a'))",
    ]

    assert differences(orthanc, lines, profile="trusted") == {}
