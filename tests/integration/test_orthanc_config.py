"""`gateway run --orthanc-config`: a gateway where an Orthanc was, with its file and its script."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateway_process import ENVIRONMENT, GATEWAY, GatewayProcess
from images import made_ct, save
from pydicom import Dataset
from waiting import wait_until

pytestmark = pytest.mark.slow

SCRIPT = """
local who = GetOrthancConfiguration()['Greeting']
function OnStoredInstance(instanceId, tags, metadata, origin)
  print('stored', who, tags.PatientID, metadata.TransferSyntax, tags['My Private'])
end
"""


class Site(GatewayProcess):
    """Runs on two files of Orthanc and SCRIPT. keys: of orthanc.json."""

    def __init__(self, folder: Path, **keys: Any) -> None:
        super().__init__(folder)
        etc = folder / "etc"
        etc.mkdir()
        (etc / "route.lua").write_text(SCRIPT)
        ports = {"HttpPort": self.http_port, "DicomPort": self.port}
        text = json.dumps({"LuaScripts": ["route.lua"], "StorageDirectory": "${DATA}", **keys})
        (etc / "orthanc.json").write_text(f"// the site's own\n{text}")
        (etc / "ports.json").write_text(f"/* here */ {json.dumps(ports)}")

    def run_arguments(self) -> Sequence[str]:
        """See GatewayProcess."""
        return ["--orthanc-config", "etc"]

    def start(self, **environment: str) -> None:
        """See GatewayProcess."""
        super().start(DATA=str(self.folder / "db"), GATEWAY_STORE__MINIMUM_FREE_MB="0")


def test_the_script_runs_and_its_keys_hold(tmp_path):
    site = Site(
        tmp_path,
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
    base = f"http://127.0.0.1:{site.http_port}"
    with httpx.Client(base_url=base, timeout=60) as http, site:
        for number, patient in enumerate("AB", 1):
            file = save(image_of(number, patient), tmp_path / f"{number}.dcm").read_bytes()
            assert http.post("/instances", content=file).json()["Status"] == "Success"
            wait_until(lambda: len(said(site)) == number, 60)  # noqa: B023
        assert said(site) == [
            f"stored, hello, {patient}, 1.2.840.10008.1.2.4.90, priv" for patient in "AB"
        ]
        wait_until(lambda: patients(http) == ["B"], 60)
        assert http.get("/system").json()["Name"] == "East"
        assert http.get("/modalities?expand").json()["pacs"]["Manufacturer"] == "Vitrea"
        assert http.get("/peers").json() == ["branch"]
        assert site.terminate() == 0
    assert sorted(os.listdir(tmp_path / "db")) == ["gateway"]
    told = {str(line["key"]).rpartition(": ")[2] for line in site.events("orthanc key")}
    assert told == {"HttpsVerifyPeers", "MyOwn", "Greeting", "StorageDirectory"}


def image_of(number: int, patient: str) -> Dataset:
    image = made_ct(
        number, rows=32, columns=32, PatientID=patient, StudyInstanceUID=f"1.2.{number}",
        SeriesInstanceUID=f"1.2.{number}.1",
    )  # fmt: skip
    image.private_block(0x0015, "MINE", create=True).add_new(0x10, "LO", "priv")
    return image


def said(site: Site) -> list[str]:
    lines = [str(line["says"]) for line in site.events("script says")]
    return [line for line in lines if "stored" in line]


def patients(http: httpx.Client) -> list[str]:
    found = http.get("/patients?expand").json()
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
