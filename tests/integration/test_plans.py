"""Plans of Orthanc's functions in a whole gateway: killed in the middle, on studies, on the fly."""

import json
import time
from collections import Counter
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from archive import Archive
from gateway_process import GatewayProcess
from images import made_ct, save
from pydicom import dcmread
from pydicom.filebase import DicomBytesIO
from waiting import wait_until

pytestmark = pytest.mark.slow

QUICK = "retry.first_delay_s = 0.1\nretry.maximum_delay_s = 0.3\nretry.jitter = 0\n"
MODIFY = """
function OnStoredInstance(id, tags, metadata, origin)
  if origin.RequestOrigin ~= 'Lua' then
    local made = ModifyInstance(id, {PatientName = 'AFTER'}, {}, true)
    Delete(SendToModality(made, 'archive'))
    CallSystem(id, 'true', {})
    Delete(id)
  end
end
"""
STUDY = """
function OnStableStudy(id, tags, metadata)
  Delete(SendToModality(id, 'archive'))
end
"""


def ask(gateway: GatewayProcess, method: str, path: str, body: object = None) -> object:
    content = body if isinstance(body, bytes) else json.dumps(body).encode() if body else None
    url = f"http://127.0.0.1:{gateway.http_port}{path}"
    with urlopen(Request(url, content, method=method), timeout=30) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def upload(gateway: GatewayProcess, folder: Path, numbers: range) -> None:
    for number in numbers:
        image = made_ct(number, PatientName=f"BEFORE-{number}")
        content = save(image, folder / "image.dcm").read_bytes()
        ask(gateway, "POST", "/instances", content)


def is_empty(gateway: GatewayProcess) -> bool:
    return ask(gateway, "GET", "/instances") == []


def arrived(archive: Archive) -> Counter[int]:
    """How many different instances arrived of each original, by its number."""
    headers = (dcmread(DicomBytesIO(each), force=True) for each in archive.files.values())
    return Counter(int(header.InstanceNumber) for header in headers)


@pytest.mark.long
def test_a_chain_that_is_killed_between_its_steps_is_done_once_and_wholly(tmp_path: Path) -> None:
    archive = Archive()
    gateway = GatewayProcess(tmp_path, QUICK + archive.destination("archive"))
    gateway.script("modify.lua", MODIFY)
    with archive.listening(), gateway:
        gateway.loaded()
        for begin in range(1, 41, 10):
            upload(gateway, tmp_path, range(begin, begin + 10))
            time.sleep(0.03 * begin % 0.4)  # at another moment of its life each time
            gateway.kill()
            gateway.start()
        wait_until(lambda: is_empty(gateway), 60)
        wait_until(gateway.is_idle)
    # Of each original one instance was made, however often it was begun.
    assert arrived(archive) == Counter(range(1, 41))


def test_a_study_is_sent_and_deleted_when_it_is_stable(tmp_path: Path) -> None:
    archive = Archive()
    toml = QUICK + "store.stable_age_s = 1\n" + archive.destination("archive")
    with archive.listening(), GatewayProcess(tmp_path, toml) as gateway:
        gateway.script("study.lua", STUDY)
        gateway.loaded()
        upload(gateway, tmp_path, range(1, 6))
        wait_until(lambda: is_empty(gateway), 60)
    assert arrived(archive) == Counter(range(1, 6))


@pytest.mark.long
def test_a_modality_that_moves_is_followed_without_a_restart(tmp_path: Path) -> None:
    here, there = Archive(), Archive()
    script = "function OnStoredInstance(id) SendToModality(id, 'moving') end"
    with here.listening(), there.listening(), GatewayProcess(tmp_path, QUICK) as gateway:
        gateway.script("move.lua", script)
        gateway.loaded()
        upload(gateway, tmp_path, range(1, 2))
        wait_until(lambda: gateway.events("event parked"))  # nobody has that name yet
        for number, archive in enumerate((here, there), start=2):
            modality = ["ARCHIVE", "127.0.0.1", archive.port]
            ask(gateway, "PUT", "/modalities/moving", modality)
            upload(gateway, tmp_path, range(number, number + 1))
            archive.wait_for(1)
        gateway.command("queue", "retry", "--all")
        there.wait_for(2)
    assert (arrived(here), arrived(there)) == (Counter([2]), Counter([1, 3]))


def test_what_waits_for_a_peer_is_in_the_queue(tmp_path: Path) -> None:
    script = "function OnStoredInstance(id) Delete(SendToPeer(id, 'cloud')) end"
    with GatewayProcess(tmp_path, QUICK) as gateway:
        ask(gateway, "PUT", "/peers/cloud", ["http://127.0.0.1:9/"])
        gateway.script("peer.lua", script)
        gateway.loaded()
        upload(gateway, tmp_path, range(1, 2))
        wait_until(lambda: gateway.events("destination in trouble, its instances wait"))
        assert [(task.action, task.destination) for task in gateway.tasks()] == [
            ("peer", "cloud"), ("delete", ""),
        ]  # fmt: skip
        assert not is_empty(gateway)
