"""Commands against a gateway that runs, as an administrator would type them."""

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_process import ENVIRONMENT, GATEWAY, GatewayProcess
from images import made_ct, save
from waiting import wait_until

# A destination that nobody listens on is refused at once: port 1 of this machine.
CONFIGURATION = """
codecs.processes = 1
destinations.nowhere = {aet = "NOWHERE", host = "127.0.0.1", port = 1}
"""
SCRIPT = """
function OnStoredInstance(instanceId, tags)
  if tags.InstanceNumber == '13' then error('unlucky') end
  Forward(instanceId, 'nowhere')
end
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def gateway(tmp_path_factory) -> Iterator[GatewayProcess]:
    running = GatewayProcess(tmp_path_factory.mktemp("gateway"), CONFIGURATION, fixed_ports=False)
    running.script("route.lua", SCRIPT)
    with running:
        yield running


@pytest.fixture(scope="module")
def to(gateway) -> list[str]:
    return ["--to", f"127.0.0.1:{gateway.port}", "--aet", "GATEWAY"]


def shown(gateway: GatewayProcess, *command: str) -> Any:
    """What a command shows as JSON."""
    return json.loads(gateway.command(*command, "--json"))


def write_ct(folder: Path, *numbers: int) -> Path:
    folder.mkdir()
    for number in numbers:
        save(made_ct(number), folder / f"{number}.dcm")
    return folder


def test_echo_is_answered(gateway, to):
    done = gateway.attempt("echo", *to)
    assert (done.returncode, done.stderr) == (0, "")
    assert "answers" in done.stdout


def test_health_ready_and_metrics_are_answered(gateway):
    url = f"http://127.0.0.1:{gateway.http_port}"
    assert httpx.get(f"{url}/healthz").text == "ok\n"
    assert httpx.get(f"{url}/readyz").json() == {"ready": True, "reasons": {}}
    assert "gateway_received_instances" in httpx.get(f"{url}/metrics").text


def test_what_is_sent_appears_in_the_queue_and_can_be_retried_and_dropped(gateway, to, tmp_path):
    done = gateway.attempt("send", str(write_ct(tmp_path / "ct", 1, 2, 13)), *to)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 of 3 files sent" in done.stdout

    wait_until(lambda: len(gateway.tasks()) == 2 and gateway.parked_events(), 60)
    queued = shown(gateway, "queue", "list")
    assert {task["destination"] for task in queued["tasks"]} == {"nowhere"}
    (event,) = queued["events"]
    assert "unlucky" in event["error"]

    wait_until(lambda: gateway.lanes()["route.lua"].events_waiting == 0, 60)
    (script,) = shown(gateway, "scripts")
    assert script["events_waiting"] == 0
    assert script["lane"] == event["lane"]
    assert "OnStoredInstance" in script["callbacks"]

    (first,) = gateway.parked_events()
    again = gateway.attempt("queue", "retry", f"{event['lane']}:{event['event_id']}")
    assert (again.returncode, again.stdout) == (0, "Will be tried again: 1.\n")
    wait_until(lambda: [e.parked_at > first.parked_at for e in gateway.parked_events()] == [True])

    ids = [str(task["task_id"]) for task in queued["tasks"]]
    assert gateway.attempt("queue", "drop", *ids).returncode == 2  # nobody can answer
    dropped = gateway.attempt("queue", "drop", *ids, "--yes")
    assert dropped.stdout == "Given up: 2.\n", dropped.stderr
    wait_until(lambda: not gateway.tasks())


def test_no_patient_is_named_in_the_log(gateway):
    image = made_ct()
    log = gateway.log.read_text()
    assert gateway.events("instance stored")
    assert str(image.PatientName) not in log
    assert str(image.PatientID) not in log


def test_a_second_gateway_on_the_same_folder_is_refused_in_one_line(gateway):
    done = gateway.attempt("run")
    assert done.returncode == 1
    assert "gateway: another gateway runs on" in done.stderr
    assert "Traceback" not in done.stderr


def test_sigterm_ends_it_cleanly(gateway):
    port = gateway.port
    assert gateway.terminate() == 0
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    assert lines[-1]["event"] == "gateway stopped"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()


def test_the_queue_can_be_seen_when_no_gateway_runs(gateway):
    assert not gateway.is_running
    assert gateway.attempt("queue", "list").returncode == 0


def test_a_folder_without_data_is_said_in_one_line(tmp_path):
    done = subprocess.run(
        [*GATEWAY, "queue", "list"],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("gateway: there is no gateway data in data")
    assert not list(tmp_path.iterdir())
