"""What is stable is told, also when the gateway is killed before, or while, it is told."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gateway_process import GatewayProcess
from images import made_ct
from rest_support import file_bytes
from waiting import wait_until

pytestmark = pytest.mark.slow

TIMEOUT_S = 60.0
# Of what is stable: at once, or not while a test runs.
SOON = {"GATEWAY_STORE__STABLE_AGE_S": "1"}
LATE = {"GATEWAY_STORE__STABLE_AGE_S": "3600"}
# Who is told of a series stands still until there is a file.
SCRIPT = """
function OnStableSeries(id, tags)
  print('series begins', tags.PatientID)
  os.execute('touch reached; until [ -e open ]; do sleep 0.02; done')
  print('series', tags.PatientID)
end
function OnStableStudy(id, tags) print('study', tags.PatientID) end
function OnStablePatient(id, tags) print('patient', tags.PatientID) end
"""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    """To be started."""
    gateway = GatewayProcess(tmp_path)
    gateway.script("stable.lua", SCRIPT)
    yield gateway
    if gateway.is_running:
        gateway.terminate()


def receive(gateway: GatewayProcess, patient_id: str, number: int) -> None:
    uid = f"1.2.826.0.1.3680043.10.4.{number}"
    image = made_ct(
        number, PatientID=patient_id, StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1"
    )
    url = f"http://127.0.0.1:{gateway.http_port}/instances"
    assert httpx.post(url, content=file_bytes(image), timeout=30).status_code == 200


def told(gateway: GatewayProcess) -> list[str]:
    return [str(line["says"]) for line in gateway.events("script says")]


def told_in_the_end(gateway: GatewayProcess) -> list[str]:
    """When there is nothing more to tell: what comes after it has been told."""
    receive(gateway, "LAST", 99)
    wait_until(lambda: "patient, LAST" in told(gateway), TIMEOUT_S)
    return [line for line in told(gateway) if not line.endswith("LAST")]


def test_what_gets_stable_after_a_kill_is_told_once(gateway, tmp_path):
    (tmp_path / "open").touch()
    gateway.start(**LATE)
    receive(gateway, "A", 1)
    gateway.kill()
    assert told(gateway) == []
    gateway.start(**SOON)
    wait_until(lambda: "patient, A" in told(gateway), TIMEOUT_S)
    expected = ["series begins, A", "series, A", "study, A", "patient, A"]
    assert told_in_the_end(gateway) == expected


@pytest.mark.long
def test_events_that_wait_at_a_kill_are_told_once_and_the_one_in_hand_again(gateway, tmp_path):
    gateway.start(**SOON)
    receive(gateway, "A", 1)
    wait_until(lambda: (tmp_path / "reached").exists(), TIMEOUT_S)
    gateway.kill()
    (tmp_path / "open").touch()
    gateway.start(**SOON)
    wait_until(lambda: "patient, A" in told(gateway), TIMEOUT_S)
    expected = ["series begins, A", "series begins, A", "series, A", "study, A", "patient, A"]
    assert told_in_the_end(gateway) == expected
