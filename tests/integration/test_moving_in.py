"""`gateway check-scripts` and `gateway try`, as an administrator who moves in would type them."""

import json
import logging
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from gateway_process import ENVIRONMENT, GATEWAY
from images import made_ct, save
from typer.testing import CliRunner

from gateway import logs
from gateway.cli import app
from gateway.dicom import charsets

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[2] / "samples" / "lua"
ROUTE = """
function OnStoredInstance(instanceId, tags, metadata, origin)
  SendToModality(instanceId, 'pacs')
end
"""


@pytest.fixture(autouse=True)
def unchanged_process(monkeypatch) -> Iterator[None]:
    """Commands that run in this process leave its logs and its texts as they were."""
    configured, encoding = structlog.get_config(), charsets.default_encoding()
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    monkeypatch.setattr(logs, "configure", lambda *_: structlog.configure(wrapper_class=quiet))
    yield
    structlog.configure(**configured)
    charsets.set_default_encoding(encoding)


def gateway(*arguments: object) -> Any:
    """The result of a command. exit_code, output."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def ct(tmp_path) -> Path:
    return save(made_ct(1), tmp_path / "1.dcm")


@pytest.fixture
def script(tmp_path):
    def written(text: str, name: str = "route.lua") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return written


@pytest.fixture
def orthanc(tmp_path, script) -> Path:
    """The configuration of an Orthanc that has one script, one modality and one peer."""
    script(ROUTE)
    path = tmp_path / "orthanc.json"
    path.write_text(
        json.dumps(
            {
                "LuaScripts": ["route.lua"],
                "DicomModalities": {"pacs": ["PACS", "127.0.0.1", 104]},
                "OrthancPeers": {"twin": ["http://127.0.0.1:1/"]},
                "StorageDirectory": str(tmp_path / "storage"),
            }
        )
    )
    return path


# --- check-scripts -------------------------------------------------------------------------------


def test_check_scripts_finds_nothing_that_breaks_in_the_samples():
    for sample in sorted(SAMPLES.glob("*.lua")):
        done = gateway("check-scripts", sample)
        assert done.exit_code == 0, done.output


def test_check_scripts_knows_what_this_gateway_has(script):
    path = script(
        "function OnStoredInstance(id)\n"
        "  PrintRecursive(ParseJson(RestApiGet('/instances/' .. id .. '/simplified-tags')))\n"
        "  RestApiGet('/instances/' .. id .. '/preview')\n"
        "  RestApiPost('/studies/' .. id .. '/reconstruct', '')\n"
        "  RestApiPut('/studies/' .. id .. '/metadata/1024', 'x')\n"
        "  RestApiGet('/series/' .. id .. '/file')\n"
        "  print(os.time(), table.unpack({}), DumpJson({}), HttpGet, SetHttpTimeout)\n"
        "end"
    )

    found = json.loads(gateway("check-scripts", path, "--json").stdout)

    assert [(each["severity"], each["where"]) for each in found["findings"]] == [
        ("breaks", "route.lua:3"),
        ("breaks", "route.lua:6"),
    ]
    assert "rendering of images is not offered yet" in found["findings"][0]["problem"]
    assert found["findings"][1]["problem"] == "there is no route GET /series/.../file"
    assert found["would_break"]


def test_check_scripts_prints_tables_and_ends_with_1_when_something_would_break(script):
    done = gateway("check-scripts", script("function OnStoredInstance(id)\nSystemLog(id)\nend"))

    assert done.exit_code == 1
    assert "route.lua:2" in done.output
    assert "print(...) is meant" in done.output
    assert done.output.endswith("1 file: 1 x breaks. Something would break.\n")


def test_check_scripts_takes_the_scripts_and_names_of_a_configuration(orthanc, script):
    assert gateway("check-scripts", "--orthanc-config", orthanc).exit_code == 0

    script(ROUTE.replace("'pacs'", "'old'"))
    done = gateway("check-scripts", "--orthanc-config", orthanc)

    assert done.exit_code == 1
    assert "no modality is called 'old'" in done.output


def test_check_scripts_of_nothing_is_wrong_usage(tmp_path):
    assert gateway("check-scripts", tmp_path).exit_code == 2


def test_check_scripts_runs_as_a_command(script):
    done = subprocess.run(
        [*GATEWAY, "check-scripts", script(ROUTE)],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "OnStoredInstance" in done.stdout


# --- try -----------------------------------------------------------------------------------------


def tried(*arguments: object) -> dict[str, Any]:
    """What happened, as JSON."""
    done = gateway("try", *arguments, "--json")
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.exit_code == (1 if told["failed"] else 0)
    return told


def effects(told: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (each["line"], each["what"], each["details"])
        for each in told["events"]
        if each["kind"] == "effect"
    ]


def words(told: dict[str, Any]) -> list[str]:
    return [each["text"] for each in told["events"] if each["kind"] == "said"]


def on_stored(body: str) -> str:
    return f"function OnStoredInstance(instanceId, tags, metadata, origin)\n{body}\nend"


def test_try_shows_the_steps_with_their_lines(script, ct):
    told = tried(
        script(on_stored("Delete(SendToModality(Transcode(instanceId, 'j2k'), 'pacs'))")), ct
    )

    assert [(line, what) for line, what, _ in effects(told)] == [
        ("route.lua:2", "Transcode"),
        ("route.lua:2", "Forward"),
        ("route.lua:2", "Delete"),
    ]
    assert "to pacs" in effects(told)[1][2]


def test_try_answers_what_is_asked_and_shows_what_would_change(script, ct):
    told = tried(
        script(
            on_stored(
                "local tags = RestApiGet('/instances/' .. instanceId .. '/tags?simplify')\n"
                "tags = ParseJson(tags)\n"
                "print(tags.Modality, origin.RemoteAet)\n"
                "local found = ParseJson(RestApiPost('/tools/find',"
                ' \'{"Level": "Study", "Query": {}}\'))\n'
                "print(#found)\n"
                "local file = RestApiGet('/instances/' .. instanceId .. '/file')\n"
                "local stored = ParseJson(RestApiPost('/instances', file))\n"
                "print(stored.ID == instanceId, stored.ParentStudy == found[1], stored.Status)\n"
                "print(RestApiDelete('/instances/' .. instanceId))\n"
                "print(RestApiGet('/instances/' .. instanceId) ~= nil)\n"
            )
        ),
        ct,
    )

    assert words(told) == ["CT, MODALITY", "1", "true, true, Success", "true", "true"]
    assert [(line, what) for line, what, _ in effects(told)] == [
        ("route.lua:8", "RestApiPost"),
        ("route.lua:10", "RestApiDelete"),
    ]


def test_try_shows_requests_to_other_servers_without_their_passwords(script, ct):
    told = tried(script(on_stored("print(HttpPost('http://me:secret@127.0.0.1:1/x', '{}'))")), ct)

    assert effects(told) == [("route.lua:2", "HttpPost", "http://...@127.0.0.1:1/x {}")]
    assert words(told) == [""]


def test_try_really_asks_other_servers_when_it_may(script, ct):
    told = tried(script(on_stored("print(HttpGet('http://127.0.0.1:1/'))")), ct, "--allow-http")

    assert effects(told) == []
    assert words(told)[0].startswith("nil, ")


@pytest.mark.parametrize("lua", ["jit", "5.4"])
def test_try_runs_no_command_and_touches_no_file(script, ct, tmp_path, lua):
    mark, kept = tmp_path / "mark", tmp_path / "kept"
    kept.write_text("old")
    told = tried(
        script(
            f"-- gateway: lua={lua}\n"
            + on_stored(
                f"print(os.execute('touch {mark}'))\n"
                f"print(io.popen('touch {mark}'):read('*a'))\n"
                f"local file = io.open('{kept}', 'a') file:write(' and new') file:close()\n"
                f"for line in io.lines('{kept}') do print(line) end\n"
                f"print(os.rename('{kept}', '{mark}'), io.open('{kept}'))\n"
                f"print(io.open('{mark}'):read('*a'))\n"
                f"print(os.remove('{mark}'), os.remove('{mark}'))\n"
                "local name = os.tmpname() io.open(name, 'w'):close() print(os.remove(name))\n"
            )
        ),
        ct,
    )

    assert words(told) == [
        "true, exit, 0", "", "old and new", f"true, nil, {kept}: No such file or directory, 2",
        "old and new", f"true, nil, {mark}: No such file or directory, 2", "true",
    ]  # fmt: skip
    assert [what for _, what, _ in effects(told)][:4] == [
        "os.execute", "io.popen", "write", "os.rename",
    ]  # fmt: skip
    assert kept.read_text() == "old"
    assert not mark.exists()


def test_try_runs_commands_when_it_may(script, ct, tmp_path):
    mark = tmp_path / "mark"
    told = tried(script(on_stored(f"os.execute('touch {mark}')")), ct, "--allow-exec")

    assert effects(told) == []
    assert mark.exists()


@pytest.mark.parametrize(
    ("event", "callback"),
    [("stable-series", "OnStableSeries"), ("stable-study", "OnStableStudy"),
     ("stable-patient", "OnStablePatient")],
)  # fmt: skip
def test_try_calls_stable_callbacks_once_for_all_files(script, tmp_path, event, callback):
    files = [save(made_ct(number), tmp_path / f"{number}.dcm") for number in (1, 2, 3)]
    told = tried(
        script(f"function {callback}(id, tags, metadata, origin) print(tags.PatientID ~= nil,"
               " origin.RequestOrigin) SendToModality(id, 'pacs') end"),
        *files, "--event", event,
    )  # fmt: skip

    assert [each["callback"] for each in told["events"] if each["kind"] == "begun"] == [callback]
    assert words(told) == ["true, DicomProtocol"]
    assert len(effects(told)) == 1


def test_try_tells_errors_with_their_traceback_and_goes_on(script, tmp_path):
    files = [save(made_ct(number), tmp_path / f"{number}.dcm") for number in (1, 2)]
    path = script(
        "local function inner() error('unlucky') end\n"
        + on_stored("if tags.InstanceNumber == '1' then inner() end print('lucky')")
    )

    done = gateway("try", path, *files)

    assert done.exit_code == 1
    assert "failed: OnStoredInstance: route.lua:1: unlucky" in done.output
    assert "route.lua:3:" in done.output
    assert "says: lucky" in done.output
    assert "2 calls, 0 effects shown and not done, 1 failure." in done.output


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("x = = 1", "unexpected symbol"),
        ("error('at load')", "at load"),
        ("print('nothing to call')", "does not define OnStoredInstance"),
        ("-- gateway: timeout=0.5\n" + on_stored("while true do end"), "longer than its limit"),
    ],
)
def test_try_tells_why_a_script_cannot_be_tried(script, ct, source, problem):
    told = tried(script(source), ct)
    assert problem in told["events"][-1]["error"]


def test_try_of_a_file_that_is_no_dicom_is_told(script, tmp_path):
    path = tmp_path / "notes.dcm"
    path.write_text("hello")
    told = tried(script(ROUTE), path)
    assert [each["error"] for each in told["events"]] == [
        "is not a DICOM file that can be stored", "there is nothing to call it for",
    ]  # fmt: skip


def test_try_with_an_orthancs_configuration_knows_its_modalities(orthanc, script, ct, tmp_path):
    told = tried(tmp_path / "route.lua", ct, "--orthanc-config", orthanc)
    assert [what for _, what, _ in effects(told)] == ["Forward"]

    told = tried(script(ROUTE.replace("pacs", "old")), ct, "--orthanc-config", orthanc)
    assert "no destination is called 'old'" in told["events"][-1]["error"]
    assert not (tmp_path / "storage").exists()


def test_try_ends_a_script_that_hangs_where_no_limit_reaches(script, ct, tmp_path):
    hangs = "-- gateway: timeout=0.5\n" + on_stored("return ('a'):rep(3e5):find('.-.-.-b')")
    done = subprocess.run(
        [*GATEWAY, "try", script(hangs), ct],
        env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "could not be ended and was given up" in done.stdout


def test_try_finds_the_modules_beside_the_script(script, ct, tmp_path):
    (tmp_path / "lib").mkdir()
    script("return 'pacs'", "lib/names.lua")
    told = tried(script(on_stored("SendToModality(instanceId, require('lib.names'))")), ct)
    assert "to pacs" in effects(told)[0][2]


def test_try_leaves_nothing_behind_and_says_what_it_did(script, ct, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        [*GATEWAY, "try", script(on_stored("print('seen') " + "SendToPeer(instanceId, 'x')")), ct],
        env={**ENVIRONMENT, "TMPDIR": str(temporary)},
        capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert "  says: seen\n" in done.stdout
    assert "  route.lua:2: would SendToPeer" in done.stdout
    assert done.stdout.endswith("1 call, 1 effect shown and not done.\n")
    assert list(temporary.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.dcm", "route.lua", "temporary"]
