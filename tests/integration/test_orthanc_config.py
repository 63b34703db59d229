"""`gateway run --orthanc-config`: a gateway where an Orthanc was, with its file and its script."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_process import ENVIRONMENT, GATEWAY, free_port
from images import made_ct, save
from waiting import wait_until

SCRIPT = """
local who = GetOrthancConfiguration()['Greeting']
function OnStoredInstance(instanceId, tags, metadata, origin)
  print('stored', who, tags.PatientID, metadata.TransferSyntax, tags['My Private'])
end
"""


class Running:
    """The process, and how to speak to it."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]", port: int) -> None:
        self.log = folder / "gateway.log"
        self.process = process
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        try:
            return self.http.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = (json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{")
        return [line for line in found if line["event"] == event]


@pytest.fixture
def run(tmp_path) -> Iterator[Callable[..., Running]]:
    """`run(Key=value)`: a gateway with these keys, in two files of Orthanc, and SCRIPT."""
    started: list[Running] = []

    def run(**keys: Any) -> Running:
        http_port = free_port()
        folder = tmp_path / "etc"
        folder.mkdir()
        (folder / "route.lua").write_text(SCRIPT)
        ports = {"HttpPort": http_port, "DicomPort": free_port()}
        text = json.dumps({"LuaScripts": ["route.lua"], "StorageDirectory": "${DATA}", **keys})
        (folder / "orthanc.json").write_text(f"// the site's own\n{text}")
        (folder / "ports.json").write_text(f"/* here */ {json.dumps(ports)}")
        with (tmp_path / "gateway.log").open("wb") as log:
            process = subprocess.Popen(
                [*GATEWAY, "run", "--orthanc-config", str(folder)],
                cwd=tmp_path,
                env=ENVIRONMENT | {"DATA": str(tmp_path / "db"), "GATEWAY_LOG__FORMAT": "json",
                                   "GATEWAY_STORE__MINIMUM_FREE_MB": "0"},
                stderr=log,
            )  # fmt: skip
        started.append(Running(tmp_path, process, http_port))
        wait_until(started[-1].is_ready, 60)
        return started[-1]

    yield run
    for running in started:
        running.http.close()
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(60) == 0


def test_the_script_runs_and_its_keys_hold(run, tmp_path):
    gateway = run(
        Greeting="hello",
        Name="East",
        IngestTranscoding="1.2.840.10008.1.2.4.90",
        DicomModalities={"pacs": ["PACS", "127.0.0.1", 104, "Vitrea"]},
        OrthancPeers={"branch": ["http://127.0.0.1:1/", "u", "s"]},
        Dictionary={"0015,10": ["LO", "My Private", 1, 1, "MINE"]},
        MaximumPatientCount=1,
        HttpsVerifyPeers=False,
        MyOwn=1,
    )
    for number, patient in enumerate("AB", 1):
        image = made_ct(
            number, rows=32, columns=32, PatientID=patient, StudyInstanceUID=f"1.2.{number}",
            SeriesInstanceUID=f"1.2.{number}.1",
        )  # fmt: skip
        image.private_block(0x0015, "MINE", create=True).add_new(0x10, "LO", "priv")
        file = save(image, tmp_path / f"{number}.dcm").read_bytes()
        assert gateway.http.post("/instances", content=file).json()["Status"] == "Success"
        wait_until(lambda: len(said(gateway)) == number, 60)  # noqa: B023
    assert said(gateway) == [
        f"stored, hello, {patient}, 1.2.840.10008.1.2.4.90, priv" for patient in "AB"
    ]
    wait_until(lambda: patients(gateway) == ["B"], 60)
    assert gateway.http.get("/system").json()["Name"] == "East"
    assert gateway.http.get("/modalities?expand").json()["pacs"]["Manufacturer"] == "Vitrea"
    assert gateway.http.get("/peers").json() == ["branch"]
    assert sorted(os.listdir(tmp_path / "db")) == ["gateway"]
    told = {line["key"].rpartition(": ")[2] for line in gateway.lines("orthanc key")}
    assert told == {"HttpsVerifyPeers", "MyOwn", "Greeting", "StorageDirectory"}


def said(gateway: Running) -> list[str]:
    return [line["says"] for line in gateway.lines("script says") if "stored" in line["says"]]


def patients(gateway: Running) -> list[str]:
    found = gateway.http.get("/patients?expand").json()
    return [each["MainDicomTags"]["PatientID"] for each in found]


def test_a_file_with_faults_does_not_run_and_all_of_them_are_said(tmp_path):
    path = tmp_path / "orthanc.json"
    path.write_text('{"StableAge": "5",\n"LuaScripts": ["none.lua"]}')
    done = subprocess.run(
        [*GATEWAY, "run", "--orthanc-config", str(path)],
        cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"gateway: {path}:1: StableAge: is not a whole number, without quotes" in done.stderr
    assert f"gateway: {path}:2: LuaScripts: {tmp_path / 'none.lua'} is not a file" in done.stderr
    assert list(tmp_path.iterdir()) == [path]
