"""The command line, as typed: what it prints, what it asks, how it ends."""

import json
import os
import subprocess
import sys
import zlib
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from gateway import __version__
from gateway.cli import app
from gateway.cli import queue as queue_commands
from gateway.cli.options import parse_address
from gateway.config.models import Configuration
from gateway.errors import CannotListen, NotFound, RemoteUnreachable
from gateway.model import Action, EventKind, LaneStatus, ParkedEvent, TaskRow, TaskState

WHEN = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)


def task(number: int, state: TaskState = TaskState.PARKED, **changes) -> TaskRow:
    values = {
        "task_id": number,
        "state": state,
        "action": Action.FORWARD,
        "lane": "route.lua",
        "event_id": 1,
        "instance_id": "0a-1b",
        "destination": "archive",
        "attempts": 8,
        "run_at": WHEN,
        "error_kind": "remote-unreachable",
        "error": "no connection to archive",
        "line": "route.lua:3",
    }
    return TaskRow(**{**values, **changes})


def event(number: int, lane: str = "route.lua") -> ParkedEvent:
    return ParkedEvent(
        lane,
        number,
        EventKind.STORED_INSTANCE,
        "2c-3d",
        "script-error",
        "route.lua:7: nil value",
        "stack",
        "abc",
        WHEN,
    )


class FakeAdministration:
    """The index as commands see it, in memory."""

    def __init__(self) -> None:
        self.configuration: Configuration | None = None
        self.rows = [
            task(1),
            task(2, destination="cloud", lane="other.lua"),
            task(3, TaskState.WAITING),
            task(4, TaskState.RUNNING),
            task(5, TaskState.DONE),
            task(6, action=Action.TRANSCODE, destination=""),
        ]
        self.parked = [event(42), event(43, "other.lua")]
        self.statuses = [
            LaneStatus(
                "route.lua", "0123456789ab", ("OnStoredInstance",), 10, 1, 2,
                "route.lua:7: nil value", "route.lua:9: syntax error", True,
            ),
        ]  # fmt: skip
        self.retried: list[object] = []
        self.dropped: list[object] = []

    def tasks(self, states=None):
        ends = {TaskState.DONE, TaskState.DROPPED}
        wanted = states if states is not None else set(TaskState) - ends
        return [row for row in self.rows if row.state in wanted]

    def parked_events(self):
        return self.parked

    def lanes(self):
        return self.statuses

    def retry_tasks(self, ids):
        return self._change(self.retried, [i for i in ids if i != 4])

    def retry_events(self, which):
        return self._change(self.retried, which)

    def drop_tasks(self, ids):
        return self._change(self.dropped, [i for i in ids if i != 4])

    def drop_events(self, which):
        return self._change(self.dropped, which)

    def _change(self, changed, which):
        changed += which
        return len(which)


@pytest.fixture
def administration(monkeypatch):
    """The application below the command line, replaced."""
    fake = FakeAdministration()

    @contextmanager
    def administered(configuration):
        fake.configuration = configuration
        yield fake

    stand_in = SimpleNamespace(administration=administered)
    monkeypatch.setitem(sys.modules, "gateway.administration", stand_in)
    monkeypatch.setitem(sys.modules, "gateway.app", SimpleNamespace(run=lambda configuration: 0))
    return fake


@pytest.fixture
def gateway(monkeypatch, tmp_path):
    """Run a command in an empty folder, without variables of our own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gateway.logs.configure", lambda *_: None)  # it takes over the process
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str, answer: str | None = None, **environment: str):
        result = CliRunner().invoke(app, list(arguments), input=answer, env=environment)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def in_a_process(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")}
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=folder, env=environment, text=True, capture_output=True, timeout=60, check=False,
    )  # fmt: skip


class TestInGeneral:
    def test_the_version_is_said(self, gateway):
        assert gateway("--version").output == f"gateway {__version__}\n"

    def test_no_command_shows_the_help(self, gateway):
        assert "Commands" in gateway().output

    @pytest.mark.parametrize(
        "command",
        [
            "run",
            "check",
            "send",
            "echo",
            "scripts",
            "transcode",
            "syntaxes",
            "queue list",
            "queue retry",
            "queue drop",
            "config import",
        ],
    )
    def test_every_command_has_help_with_an_example(self, gateway, command):
        result = gateway(*command.split(), "--help")
        assert result.exit_code == 0
        assert f"gateway {command}" in result.output.split("Example")[1]

    def test_the_readme_lists_every_command(self):
        readme = (Path(__file__).parents[2] / "README.md").read_text()
        groups = {group.name for group in app.registered_groups}
        for name in groups | {command.name for command in app.registered_commands}:
            assert f"| `gateway {name}" in readme

    def test_an_unknown_command_is_wrong_usage(self, gateway):
        assert gateway("rum").exit_code == 2

    @pytest.mark.parametrize(
        "error", [NotFound("there is no gateway data in data"), PermissionError(13, "no", "/data")]
    )
    def test_an_error_is_one_line_and_exit_code_1(self, gateway, administration, error):
        administration.tasks = lambda states=None: (_ for _ in ()).throw(error)
        result = gateway("queue", "list")
        assert result.exit_code == 1
        assert len(result.stderr.splitlines()) == 1
        assert result.stderr.startswith("gateway: ")

    def test_it_works_as_a_process(self, tmp_path):
        done = in_a_process("--version", folder=tmp_path)
        assert (done.returncode, done.stdout) == (0, f"gateway {__version__}\n")

    def test_help_does_not_wait_for_the_libraries_of_the_gateway(self, tmp_path):
        code = (
            "import sys; from gateway.cli import app\n"
            "heavy = {'pydantic', 'pynetdicom', 'pydicom', 'numpy', 'sqlalchemy', 'structlog'}\n"
            "sys.exit(str(heavy & set(sys.modules) or ''))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        assert done.stderr.strip() == b""

    def test_a_reader_that_goes_away_is_no_error(self, tmp_path):
        shell = f"{sys.executable} -m gateway --help | head -1; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert "Traceback" not in done.stderr


class TestRun:
    def test_the_scripts_folder_can_be_said(self, gateway, administration, monkeypatch, tmp_path):
        seen = []
        monkeypatch.setattr(
            sys.modules["gateway.app"], "run", lambda configuration: seen.append(configuration) or 0
        )
        assert gateway("run", "--scripts", str(tmp_path)).exit_code == 0
        assert seen[0].scripts.folder == tmp_path

    def test_every_fault_of_the_configuration_is_said_at_once(self, gateway, administration):
        result = gateway("run", GATEWAY_DICOM__PORT="x", GATEWAY_LOG__LEVEL="loud")
        assert result.exit_code == 1
        assert [line.split(": ")[1] for line in result.stderr.splitlines()] == [
            "GATEWAY_DICOM__PORT",
            "GATEWAY_LOG__LEVEL",
        ]

    def test_a_port_in_use_is_one_line(self, gateway, administration, monkeypatch):
        def refuse(configuration):
            raise CannotListen("127.0.0.1", 11112, "Address already in use")

        monkeypatch.setattr(sys.modules["gateway.app"], "run", refuse)
        result = gateway("run")
        assert result.exit_code == 1
        assert result.stderr == (
            "gateway: cannot listen on 127.0.0.1:11112: Address already in use\n"
        )


class TestCheck:
    @pytest.fixture(autouse=True)
    def free_ports(self, monkeypatch):
        monkeypatch.setenv("GATEWAY_STORE__MINIMUM_FREE_MB", "0")

    def test_a_right_configuration_is_summed_up(self, gateway, tmp_path):
        (tmp_path / "scripts").mkdir()
        (tmp_path / "scripts" / "route.lua").write_text("function OnStoredInstance() end")
        result = gateway("check")
        assert result.exit_code == 0
        assert "No faults. GATEWAY would listen on 0.0.0.0:11112" in result.output
        assert "Scripts: route.lua." in result.output

    def test_faults_of_configuration_and_scripts_are_said_together(self, gateway, tmp_path):
        (tmp_path / "gateway.toml").write_text('dicom.port = "x"\nlog.level = 3\n')
        (tmp_path / "scripts").mkdir()
        (tmp_path / "scripts" / "route.lua").write_text("function OnStoredInstance(\n")
        result = gateway("check", "--config", "gateway.toml")
        assert result.exit_code == 1
        assert "dicom.port: " in result.output
        assert "log.level: " in result.output
        assert "route.lua:" in result.output
        assert result.output.endswith("3 faults.\n")

    def test_the_scripts_of_an_orthanc_are_looked_at_as_well(self, gateway, tmp_path):
        (tmp_path / "orthanc.json").write_text('{"LuaScripts": ["route.lua"]}')
        (tmp_path / "route.lua").write_text("x = 1")
        assert "Scripts: route.lua." in gateway("check", "--config", "orthanc.json").output
        (tmp_path / "route.lua").write_text("\nx = = 1")
        result = gateway("check", "--config", "orthanc.json")
        assert result.exit_code == 1
        assert "route.lua:2: unexpected symbol" in result.output

    def test_the_file_can_be_named_by_a_variable(self, gateway, tmp_path):
        (tmp_path / "g.toml").write_text("dicom.prot = 1")
        assert (
            "dicom.prot: there is no such key" in gateway("check", GATEWAY_CONFIG="g.toml").output
        )

    def test_faults_are_given_as_json(self, gateway, tmp_path):
        (tmp_path / "g.toml").write_text("dicom.prot = 1")
        result = gateway("check", "--config", "g.toml", "--json")
        assert json.loads(result.output)["faults"] == [
            {
                "where": "dicom.prot",
                "problem": "there is no such key",
                "remedy": "did you mean dicom.port?",
            }
        ]

    def test_it_works_as_a_process(self, tmp_path):
        (tmp_path / "g.toml").write_text("[dicom\n")
        done = in_a_process("check", "--config", "g.toml", folder=tmp_path)
        assert done.returncode == 1
        assert "g.toml:1: is not TOML" in done.stdout
        assert done.stderr == ""


class TestOrthancsConfiguration:
    @pytest.fixture
    def orthanc(self, tmp_path, monkeypatch) -> Path:
        monkeypatch.chdir(tmp_path)
        path = tmp_path / "orthanc.json"
        path.write_text('{"DicomAet": "OLD", "HttpsVerifyPeers": false} // as it was')
        return path

    @pytest.mark.parametrize("option", ["--orthanc-config", "--config"])
    def test_it_can_be_checked(self, gateway, orthanc, option):
        result = gateway("check", option, str(orthanc))
        assert result.exit_code == 0
        assert f"note  {orthanc}:1: HttpsVerifyPeers: not supported: certificates" in result.output
        assert "OLD would listen" in result.output

    def test_a_folder_of_them_is_a_configuration_too(self, gateway, orthanc):
        assert "OLD would listen" in gateway("check", "--config", str(orthanc.parent)).output

    def test_what_is_imported_passes_the_check_and_says_the_same(self, gateway, orthanc):
        toml = gateway("config", "import", str(orthanc)).output
        assert toml.splitlines()[2].startswith(f"# {orthanc}:1: HttpsVerifyPeers: not supported")
        (orthanc.parent / "gateway.toml").write_text(toml)
        result = gateway("check", "--config", "gateway.toml")
        assert result.exit_code == 0
        assert "OLD would listen" in result.output

    def test_overrides_are_not_written_down(self, gateway, orthanc, monkeypatch):
        monkeypatch.setenv("GATEWAY_DICOM__AET", "OTHER")
        assert "OTHER" not in gateway("config", "import", str(orthanc)).output

    @pytest.mark.parametrize("command", ["check", "run", "config import"])
    def test_all_faults_are_said(self, gateway, orthanc, command):
        orthanc.write_text('{"HttpPort": "x",\n"DicomAet": 3}')
        option = () if "import" in command else ("--orthanc-config",)
        result = gateway(*command.split(), *option, str(orthanc))
        assert result.exit_code == 1
        for said in (f"{orthanc}:1: HttpPort: is not a whole", f"{orthanc}:2: DicomAet: is not"):
            assert said in result.output

    def test_both_kinds_at_once_are_wrong_usage(self, gateway, orthanc):
        result = gateway("run", "--config", "g.toml", "--orthanc-config", str(orthanc))
        assert result.exit_code == 2


class TestQueueList:
    def test_open_tasks_and_parked_events_are_shown(self, gateway, administration):
        output = gateway("queue", "list").output
        rows = [line.split()[:3] for line in output.splitlines()]
        assert ["3", "waiting", "forward"] in rows
        assert ["5", "done", "forward"] not in rows
        assert "route.lua:42" in output

    def test_filters_hold_together(self, gateway, administration):
        result = gateway("queue", "list", "--state", "parked", "--destination", "archive", "--json")
        content = json.loads(result.output)
        assert [row["task_id"] for row in content["tasks"]] == [1]
        assert content["events"] == []

    def test_a_script_is_a_filter_for_tasks_and_events(self, gateway, administration):
        content = json.loads(gateway("queue", "list", "--script", "other.lua", "--json").output)
        assert [row["task_id"] for row in content["tasks"]] == [2]
        assert [row["event_id"] for row in content["events"]] == [43]

    def test_json_has_every_field(self, gateway, administration):
        (row,) = json.loads(
            gateway("queue", "list", "--state", "waiting", "--json").output
        )["tasks"]  # fmt: skip
        assert row["state"] == "waiting"
        assert row["error_kind"] == "remote-unreachable"
        assert datetime.fromisoformat(row["run_at"]) == WHEN

    def test_an_empty_queue_is_said_to_be_empty(self, gateway, administration):
        administration.rows, administration.parked = [], []
        assert gateway("queue", "list").output == "Nothing is in the queue.\n"

    def test_a_line_stays_whole_without_a_terminal(self, gateway, administration):
        administration.rows = [task(1, error="very long " * 40)]
        output = gateway("queue", "list", "--state", "parked").output
        assert ("very long " * 40).strip() in output

    def test_text_of_a_peer_cannot_send_codes_to_the_terminal(self, gateway, administration):
        administration.rows = [task(1, error="no\x1b[2J\nway")]
        output = gateway("queue", "list").output
        assert "\x1b" not in output
        assert "no?[2J way" in output

    def test_the_configuration_says_where_the_index_is(self, gateway, administration, tmp_path):
        (tmp_path / "g.toml").write_text('store.folder = "kept"')
        gateway("queue", "list", "--config", "g.toml")
        assert administration.configuration.store.folder == tmp_path / "kept"


class TestQueueRetry:
    def test_tasks_and_events_are_named_by_their_ids(self, gateway, administration):
        result = gateway("queue", "retry", "1", "3", "route.lua:42")
        assert result.output == "Will be tried again: 3.\n"
        assert administration.retried == [1, 3, ("route.lua", 42)]

    def test_all_means_all_that_is_parked(self, gateway, administration):
        gateway("queue", "retry", "--all")
        assert administration.retried == [1, 2, 6, ("route.lua", 42), ("other.lua", 43)]

    def test_all_can_be_narrowed(self, gateway, administration):
        gateway("queue", "retry", "--all", "--destination", "cloud")
        assert administration.retried == [2]

    def test_an_id_that_is_not_there_changes_nothing(self, gateway, administration):
        result = gateway("queue", "retry", "1", "99", "none.lua:1")
        assert result.exit_code == 1
        assert "99, none.lua:1; nothing was changed" in result.stderr
        assert administration.retried == []

    def test_what_could_not_be_retried_is_an_error(self, gateway, administration):
        result = gateway("queue", "retry", "1", "4")
        assert result.exit_code == 1
        assert "Will be tried again: 1." in result.output
        assert "1 were not" in result.stderr

    @pytest.mark.parametrize(
        "arguments",
        [(), ("1", "--all"), ("1", "--state", "parked"), ("--state", "parked"), ("route.lua",)],
    )
    def test_what_is_not_clear_is_wrong_usage(self, gateway, administration, arguments):
        assert gateway("queue", "retry", *arguments).exit_code == 2
        assert administration.retried == []


class TestQueueDrop:
    @pytest.fixture
    def terminal(self, monkeypatch):
        monkeypatch.setattr(queue_commands, "_somebody_can_answer", lambda: True)

    def test_it_says_what_will_be_lost_and_asks(self, gateway, administration, terminal):
        result = gateway("queue", "drop", "--all", answer="y\n")
        assert "1 task: forward to archive" in result.output
        assert "1 task: transcode" in result.output
        assert "1 event that route.lua has not handled" in result.output
        assert administration.dropped == [1, 2, 6, ("route.lua", 42), ("other.lua", 43)]

    @pytest.mark.parametrize("answer", ["n\n", "\n"])
    def test_anything_but_yes_changes_nothing(self, gateway, administration, terminal, answer):
        assert gateway("queue", "drop", "1", answer=answer).exit_code == 1
        assert administration.dropped == []

    def test_it_refuses_when_nobody_can_answer(self, gateway, administration):
        result = gateway("queue", "drop", "--all")
        assert result.exit_code == 2
        assert "--yes" in result.stderr
        assert administration.dropped == []

    def test_yes_is_not_asked_again(self, gateway, administration):
        assert gateway("queue", "drop", "1", "--yes").output == "Given up: 1.\n"
        assert administration.dropped == [1]

    def test_waiting_tasks_can_be_given_up_by_their_state(self, gateway, administration):
        gateway("queue", "drop", "--all", "--state", "waiting", "--yes")
        assert administration.dropped == [3]


class TestScripts:
    def test_each_script_is_shown_with_its_fault(self, gateway, administration):
        output = gateway("scripts").output
        assert "0123456789ab" in output
        assert "route.lua on disk is not what runs: route.lua:9: syntax error" in output

    def test_json_has_every_field(self, gateway, administration):
        (lane,) = json.loads(gateway("scripts", "--json").output)
        assert lane["callbacks"] == ["OnStoredInstance"]
        assert lane["events_waiting"] == 2

    def test_no_script_is_said(self, gateway, administration):
        administration.statuses = []
        assert gateway("scripts").output == "No script has run yet.\n"


class TestSend:
    @pytest.fixture
    def sent(self, monkeypatch):
        """What would have been sent, and what became of it: by file name."""
        from gateway.dimse import files

        log = SimpleNamespace(paths=[], errors={}, breaks_after=None)

        def send_files(paths, host, port, *, called_aet, calling_aet, on_result):
            log.peer = (host, port, called_aet, calling_aet)
            for number, path in enumerate(paths):
                if number == log.breaks_after:
                    raise RemoteUnreachable("the connection broke")
                log.paths.append(path.name)
                on_result(path, log.errors.get(path.name))

        monkeypatch.setattr(files, "send_files", send_files)
        return log

    @pytest.fixture
    def study(self, tmp_path):
        (tmp_path / "study" / "series").mkdir(parents=True)
        (tmp_path / "study" / ".hidden").mkdir()
        for name in ("b.dcm", "series/a.dcm", "DICOMDIR", ".hidden/c.dcm", ".DS_Store"):
            (tmp_path / "study" / name).touch()
        return str(tmp_path / "study")

    TO = ("--to", "pacs:104", "--aet", "PACS")

    def test_folders_are_walked_in_order(self, gateway, sent, study):
        result = gateway("send", study, *self.TO)
        assert result.exit_code == 0
        assert sent.paths == ["b.dcm", "a.dcm"]
        assert "2 of 2 files sent" in result.output

    def test_a_file_named_twice_is_sent_once(self, gateway, sent, study):
        gateway("send", study, f"{study}/b.dcm", *self.TO)
        assert sent.paths == ["b.dcm", "a.dcm"]

    def test_the_peer_is_called_by_the_names_given(self, gateway, sent, study):
        gateway("send", study, "--to", "[::1]:11112", "--aet", "PACS", "--calling-aet", "CT1")
        assert sent.peer == ("::1", 11112, "PACS", "CT1")

    def test_one_failure_is_shown_and_is_exit_code_1(self, gateway, sent, study):
        sent.errors["b.dcm"] = NotFound("out of resources")
        result = gateway("send", study, *self.TO)
        assert result.exit_code == 1
        assert "1 of 2 files sent" in result.output
        assert "b.dcm" in result.output
        assert "out of resources" in result.output

    def test_files_that_were_not_tried_count_as_failed(self, gateway, sent, study):
        sent.breaks_after = 1
        result = gateway("send", study, *self.TO, "--json")
        content = json.loads(result.output)
        assert result.exit_code == 1
        assert content["sent"] == 1
        assert [Path(failure["file"]).name for failure in content["failed"]] == ["a.dcm"]
        assert content["failed"][0]["error_kind"] == "remote-unreachable"

    def test_nothing_to_send_is_wrong_usage(self, gateway, sent, tmp_path):
        (tmp_path / "empty").mkdir()
        assert gateway("send", "empty", *self.TO).exit_code == 2

    def test_a_file_that_is_not_there_is_wrong_usage(self, gateway, sent):
        assert gateway("send", "none.dcm", *self.TO).exit_code == 2

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--to", "pacs", "--aet", "PACS"),
            ("--to", "pacs:0", "--aet", "PACS"),
            ("--to", "pacs:65536", "--aet", "PACS"),
            ("--to", ":104", "--aet", "PACS"),
            ("--to", "::1:104", "--aet", "PACS"),
            ("--to", "pacs:104", "--aet", "SEVENTEEN_LETTERS"),
            ("--to", "pacs:104", "--aet", "PACS", "--calling-aet", "A\\B"),
        ],
    )
    def test_a_peer_that_cannot_be_is_wrong_usage(self, gateway, sent, study, arguments):
        assert gateway("send", study, *arguments).exit_code == 2
        assert sent.paths == []


class TestEcho:
    def test_an_answer_is_told(self, gateway, monkeypatch):
        from gateway.dimse import files

        monkeypatch.setattr(files, "echo", lambda *_, **__: None)
        result = gateway("echo", "--to", "pacs:104", "--aet", "PACS")
        assert result.output.startswith("PACS at pacs:104 answers, after ")

    def test_no_answer_is_one_line_and_exit_code_1(self, gateway, monkeypatch):
        from gateway.dimse import files

        def refuse(*_, **__):
            raise RemoteUnreachable("no connection to pacs:104")

        monkeypatch.setattr(files, "echo", refuse)
        result = gateway("echo", "--to", "pacs:104", "--aet", "PACS")
        assert (result.exit_code, result.stderr) == (1, "gateway: no connection to pacs:104\n")


class TestTranscode:
    @pytest.fixture(autouse=True)
    def never_begun(self, monkeypatch):
        """All of these are wrong usage: nothing is begun, no folder is made."""
        monkeypatch.setattr("gateway.cli.transcode._work", lambda *_, **__: pytest.fail("begun"))
        yield
        assert not Path("out").exists()

    @pytest.fixture
    def study(self, tmp_path):
        (tmp_path / "study").mkdir()
        (tmp_path / "study/1.dcm").touch()
        return "study"

    def test_an_unknown_syntax_names_the_known_ones(self, gateway, study):
        result = gateway("transcode", study, "--to", "j3k", "--out", "out", COLUMNS="1000")
        assert result.exit_code == 2
        assert "no transfer syntax is called 'j3k'" in result.stderr
        assert "htj2k, htj2k-rpcl" in result.stderr

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            (("--to", "j2k", "--ratio", "10"), "--ratio: is for JPEG2000, HTJ2K"),
            (("--to", "jpeg,j2k", "--max-error", "2"), "--max-error: is for JPEGLSNearLossless"),
            (("--to", "j2k-lossy", "--quality", "90"), "--quality: is for JPEGBaseline8Bit"),
            (("--to", "jpeg", "--quality", "101"), "--quality: 101 is too large"),
            (("--to", "j2k-lossy", "--ratio", "1"), "--ratio: 1.0 is too small"),
            (("--to", "j2k", "--photometric", "CMYK"), '--photometric: "CMYK" is not one of'),
            (("--to", "j2k", "--minimum-psnr", "0"), "--minimum-psnr: 0.0 is too small"),
            (("--to", "j2k", "--jobs", "-1"), "--jobs: -1 is too small"),
            (("--to", "j2k", "--memory-mb", "1"), "--memory-mb: 1 is too small"),
            (("--to", "j2k", "--timeout", "0"), "--timeout: 0.0 is too small"),
            (("--to", "j2k", "--on-failure", "hope"), "'hope' is not one of"),
            (("--to", "j2k", "--unused-bits", "keep"), "'keep' is not one of"),
        ],
    )
    def test_what_an_option_cannot_be_is_told(self, gateway, study, options, problem):
        result = gateway("transcode", study, "--out", "out", *options, COLUMNS="1000")
        assert result.exit_code == 2
        assert problem in result.stderr

    def test_two_that_would_have_the_same_target_are_both_named(self, gateway, study, tmp_path):
        (tmp_path / "more").mkdir()
        (tmp_path / "more/1.dcm").touch()
        result = gateway("transcode", study, "more", "--to", "j2k", "--out", "out", COLUMNS="1000")
        assert result.exit_code == 2
        assert "more/1.dcm and study/1.dcm would both become out/1.dcm" in result.stderr

    def test_originals_in_the_output_folder_are_refused(self, gateway, study):
        for arguments in ((study, "--out", study), ("study/1.dcm", "--out", ".")):
            result = gateway("transcode", *arguments, "--to", "j2k", COLUMNS="1000")
            assert result.exit_code == 2
            assert "is in the output folder" in result.stderr

    def test_a_folder_without_files_is_wrong_usage(self, gateway, tmp_path):
        (tmp_path / "empty").mkdir()
        result = gateway("transcode", "empty", "--to", "j2k", "--out", "out")
        assert result.exit_code == 2
        assert "there is no file" in result.stderr

    def test_an_input_that_is_not_there_is_wrong_usage(self, gateway):
        assert gateway("transcode", "none", "--to", "j2k", "--out", "out").exit_code == 2


class TestSyntaxes:
    def test_each_is_told_with_its_libraries(self, gateway):
        result = gateway("syntaxes")
        [line] = [line for line in result.output.splitlines() if line.startswith("j2k ")]
        assert "JPEG2000Lossless" in line
        assert "1.2.840.10008.1.2.4.90" in line
        assert f"pylibjpeg-openjpeg {metadata.version('pylibjpeg-openjpeg')}" in line

    def test_json_has_every_field(self, gateway):
        rows = {row["short"]: row for row in json.loads(gateway("syntaxes", "--json").output)}
        assert rows["deflated"]["read_by"] == f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
        assert rows["mpeg2"] == {
            "short": "mpeg2",
            "keyword": "MPEG2MPML",
            "uid": "1.2.840.10008.1.2.4.100",
            "lossy": True,
            "read_by": "",
            "written_by": "",
            "verified_by": "",
            "remark": "video and audio are not still images",
        }


def test_an_address_is_a_host_and_a_port():
    assert parse_address("pacs.example:104") == ("pacs.example", 104)
    assert parse_address("[::1]:104") == ("::1", 104)
