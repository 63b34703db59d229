"""Samples that say "In Orthanc: runs as it is" do so in a real one: they are put into its Lua
state, as a file of LuaScripts would be, and have the effect that they have in the gateway.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from archive import Archive
from images import made_ct
from orthanc_peer import ORTHANC, Server, orthanc_running
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from rest_support import file_bytes
from waiting import wait_until
from web_support import Web, web_running

pytestmark = [
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.skipif(ORTHANC is None, reason="Orthanc is not installed"),
]

SAMPLES = Path(__file__).parents[2] / "samples" / "lua"
MODALITIES = ("archive", "workstation", "mammography", "stroke", "research")
NOT_YET_KNOWN = "function SetHttpTimeout() end"  # in 1.10.1
FORGET = """
for _, name in ipairs {'OnStoredInstance', 'OnStableStudy', 'OnHeartBeat', 'Initialize',
                       'ReceivedInstanceFilter', 'IncomingHttpRequestFilter'} do
  _G[name] = nil
end
"""


class Orthanc:
    """A real one, the modalities around it, and a web server."""

    def __init__(self, server: Server, archives: dict[str, Archive], web: Web) -> None:
        self.http, self.archives, self.web = server.client, archives, web

    def use(self, name: str, **settings: str) -> None:
        source = (SAMPLES / name).read_text()
        for setting, value in settings.items():
            (line,) = (x for x in source.splitlines() if x.startswith(f"local {setting} = "))
            source = source.replace(line, f"local {setting} = {value}")
        self.run(source + "\nif Initialize then Initialize() end")

    def run(self, lua: str) -> None:
        answer = self.http.post("/tools/execute-script", content=lua)
        assert answer.status_code == 200, answer.text

    def upload(self, image: Dataset) -> None:
        assert self.http.post("/instances", content=file_bytes(image)).status_code == 200

    def until_instances(self, count: int) -> None:
        """Wait until it has so many."""
        wait_until(lambda: len(self.http.get("/instances").json()) == count, 60)

    def got(self, modality: str, instances: int = 1) -> list[Dataset]:
        archive = self.archives[modality]
        archive.wait_for(instances)
        return [dcmread(DicomBytesIO(file), force=True) for file in archive.files.values()]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    archives = {name: Archive() for name in MODALITIES}
    with ExitStack() as stack:
        for archive in archives.values():
            stack.enter_context(archive.listening())
        web = stack.enter_context(web_running())
        server = orthanc_running(
            tmp_path_factory.mktemp("samples") / "orthanc",
            StableAge=1, ExecuteLuaEnabled=True,
            DicomModalities={k: [k.upper(), "127.0.0.1", a.port] for k, a in archives.items()},
        )  # fmt: skip
        yield Orthanc(stack.enter_context(server), archives, web)


@pytest.fixture
def orthanc(running: Orthanc) -> Iterator[Orthanc]:
    yield running
    running.run(FORGET)
    for patient in running.http.get("/patients").json():
        running.http.delete(f"/patients/{patient}")
    for archive in running.archives.values():
        archive.files.clear()
        archive.deliveries.clear()
    running.web.requests.clear()


def test_everything_goes_to_all_destinations_and_then_away(orthanc):
    orthanc.use("RouteEverything.lua", DELETE_AFTERWARDS="true")
    orthanc.upload(made_ct(1))
    assert len(orthanc.got("archive")) == len(orthanc.got("workstation")) == 1
    orthanc.until_instances(0)


def test_rules_say_where_an_image_goes(orthanc):
    orthanc.use("RouteByRules.lua")
    orthanc.upload(made_ct(1, Modality="MG"))
    orthanc.upload(made_ct(2, StudyDescription="CT STROKE 2"))
    orthanc.upload(made_ct(3))
    assert [image.InstanceNumber for image in orthanc.got("mammography")] == [1]
    assert [image.InstanceNumber for image in orthanc.got("stroke")] == [2]
    assert [image.InstanceNumber for image in orthanc.got("archive")] == [3]


def test_a_changed_copy_is_sent_and_the_original_stays(orthanc):
    orthanc.use("ChangeAndRoute.lua")
    orthanc.upload(made_ct(1, AccessionNumber="77", OperatorsName="Secret"))
    (copy,) = orthanc.got("archive")
    assert (copy.InstitutionName, copy.AccessionNumber) == ("City Hospital", "EXT77")
    assert "OperatorsName" not in copy
    orthanc.until_instances(1)


def test_research_gets_an_anonymised_study(orthanc):
    orthanc.use("AnonymizeAndRoute.lua")
    orthanc.upload(made_ct(1))
    (copy,) = orthanc.got("research")
    assert copy.PatientName == "Trial 7"
    orthanc.until_instances(1)


def test_files_are_written(orthanc, tmp_path):
    orthanc.use("WriteToDisk.lua", FOLDER=f"'{tmp_path}/out'")
    image = made_ct(1, StudyDate="20260131")
    orthanc.upload(image)
    path = tmp_path / "out/CT/20260131" / image.StudyInstanceUID / f"{image.SOPInstanceUID}.dcm"
    wait_until(path.exists)
    assert dcmread(path).PixelData == image.PixelData


def test_a_web_service_is_told_of_a_study(orthanc):
    orthanc.run(NOT_YET_KNOWN)
    orthanc.use("StudyToWebService.lua", URL=f"'{orthanc.web.url('/studies')}'")
    orthanc.upload(made_ct(1, AccessionNumber="0012"))
    told = json.loads(wait_until(lambda: orthanc.web.requests, 30)[0].body)
    assert (told["accession"], told["instances"]) == ("0012", "1")


def test_a_monitor_hears_a_heartbeat(orthanc):
    """1.10.1 has no heartbeats: the callback is called here."""
    orthanc.run(NOT_YET_KNOWN)
    orthanc.use("HeartBeat.lua", URL=f"'{orthanc.web.url('/beat')}'")
    orthanc.run("OnHeartBeat()")
    beat = json.loads(orthanc.web.requests[0].body)
    assert (beat["aet"], beat["instances"]) == ("GATEWAY", "0")


def test_nobody_changes_without_a_name(orthanc):
    reading = "{ ['/tools/find'] = true, ['/tools/execute-script'] = true }"
    orthanc.use("HttpFilter.lua", READING=reading)
    find = orthanc.http.post("/tools/find", json={"Level": "Study", "Query": {}})
    assert find.status_code == 200
    assert orthanc.http.put("/modalities/x", json=["X", "h", 1]).status_code == 403
