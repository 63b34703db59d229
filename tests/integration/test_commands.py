"""Commands against a gateway that runs, as an administrator would type them."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("GATEWAY_")}
# A destination that nobody listens on is refused at once: port 1 of this machine.
CONFIGURATION = """
[dicom]
port = 0
host = "127.0.0.1"
[http]
port = 0
[store]
minimum_free_mb = 0
[codecs]
processes = 1
[destinations.nowhere]
aet = "NOWHERE"
host = "127.0.0.1"
port = 1
"""
SCRIPT = """
function OnStoredInstance(instanceId, tags)
  if tags.InstanceNumber == '13' then error('unlucky') end
  Forward(instanceId, 'nowhere')
end
"""

pytestmark = pytest.mark.slow


class RunningGateway:
    """`gateway run` as a process of its own, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "gateway.toml").write_text(CONFIGURATION)
        (folder / "scripts").mkdir()
        (folder / "scripts" / "route.lua").write_text(SCRIPT)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run", "--config", "gateway.toml"],
            cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.lines: list[dict] = []
        self.started = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(json.loads(line))
            if self.lines[-1]["event"] == "gateway started":
                self.started.set()
        self.started.set()  # it will not any more

    def port(self, name: str) -> int:
        assert self.started.wait(30)
        return next(line[name] for line in self.lines if line["event"] == "gateway started")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            cwd=self.folder, env={**ENVIRONMENT, "GATEWAY_CONFIG": "gateway.toml"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def until(self, *arguments: str, true) -> object:
        """Ask with --json until what comes is as wished."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            answer = json.loads(self.command(*arguments, "--json").stdout)
            if true(answer):
                return answer
        raise AssertionError(f"{arguments} still says {answer}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self._reader.join(5)
        return code


@pytest.fixture(scope="module")
def gateway(tmp_path_factory) -> Iterator[RunningGateway]:
    running = RunningGateway(tmp_path_factory.mktemp("gateway"))
    yield running
    if running.process.poll() is None:
        running.stop()
    assert running.process.stderr is not None
    running.process.stderr.close()


@pytest.fixture(scope="module")
def to(gateway) -> list[str]:
    return ["--to", f"127.0.0.1:{gateway.port('dicom_port')}", "--aet", "GATEWAY"]


def write_ct(folder: Path, made_ct, *numbers: int) -> Path:
    folder.mkdir(exist_ok=True)
    for number in numbers:
        image = made_ct(number)
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    return folder


def test_echo_is_answered(gateway, to):
    done = gateway.command("echo", *to)
    assert (done.returncode, done.stderr) == (0, "")
    assert "answers" in done.stdout


def test_health_ready_and_metrics_are_answered(gateway):
    url = f"http://127.0.0.1:{gateway.port('http_port')}"
    assert httpx.get(f"{url}/healthz").text == "ok\n"
    assert httpx.get(f"{url}/readyz").json() == {"ready": True, "reasons": {}}
    assert "gateway_received_instances" in httpx.get(f"{url}/metrics").text


def test_what_is_sent_appears_in_the_queue_and_can_be_retried_and_dropped(
    gateway, to, made_ct, tmp_path
):
    done = gateway.command("send", str(write_ct(tmp_path / "ct", made_ct, 1, 2, 13)), *to)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 files sent" in done.stdout

    queued = gateway.until(
        "queue", "list", true=lambda q: len(q["tasks"]) == 2 and len(q["events"]) == 1
    )
    assert {task["destination"] for task in queued["tasks"]} == {"nowhere"}
    (event,) = queued["events"]
    assert "unlucky" in event["error"]

    (script,) = gateway.until("scripts", true=lambda lanes: lanes[0]["events_waiting"] == 0)
    assert script["lane"] == event["lane"]
    assert "OnStoredInstance" in script["callbacks"]

    again = gateway.command("queue", "retry", f"{event['lane']}:{event['event_id']}")
    assert (again.returncode, again.stdout) == (0, "Will be tried again: 1.\n")
    first = event["parked_at"]
    gateway.until(
        "queue", "list", true=lambda q: [e["parked_at"] != first for e in q["events"]] == [True]
    )

    ids = [str(task["task_id"]) for task in queued["tasks"]]
    assert gateway.command("queue", "drop", *ids).returncode == 2  # nobody can answer
    dropped = gateway.command("queue", "drop", *ids, "--yes")
    assert dropped.stdout == "Given up: 2.\n", dropped.stderr
    gateway.until("queue", "list", true=lambda q: not q["tasks"])


def test_no_patient_is_named_in_the_log(gateway, made_ct):
    image = made_ct()
    log = json.dumps(gateway.lines)
    assert str(image.PatientName) not in log
    assert str(image.PatientID) not in log


def test_a_second_gateway_on_the_same_folder_is_refused_in_one_line(gateway):
    gateway.port("dicom_port")
    done = gateway.command("run")
    assert done.returncode == 1
    assert "gateway: another gateway runs on" in done.stderr
    assert "Traceback" not in done.stderr


def test_sigterm_ends_it_cleanly(gateway):
    port = gateway.port("dicom_port")
    assert gateway.stop() == 0
    assert gateway.lines[-1]["event"] == "gateway stopped"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()


def test_the_queue_can_be_seen_when_no_gateway_runs(gateway):
    assert gateway.process.poll() is not None
    assert gateway.command("queue", "list").returncode == 0


def test_a_folder_without_data_is_said_in_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "queue", "list"],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("gateway: there is no gateway data in data")
    assert not list(tmp_path.iterdir())
