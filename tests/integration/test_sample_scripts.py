"""samples/lua as an administrator uses it: each script is copied into the folder of a running
gateway, and does what its first lines say."""

import io
import itertools
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from archive import Archive
from dimse_support import CT, EXPLICIT, associated
from gateway_process import GatewayProcess
from images import made_ct
from pydicom import Dataset, dcmread
from pydicom.filebase import DicomBytesIO
from pydicom.uid import JPEG2000Lossless
from rest_support import file_bytes
from waiting import wait_until
from web_support import Web, web_running

from gateway.model import Action

pytestmark = pytest.mark.slow

SAMPLES = Path(__file__).parents[2] / "samples" / "lua"
DESTINATIONS = (
    "archive", "workstation", "mammography", "stroke", "research", "reading-1", "reading-2",
    "night",
)  # fmt: skip
SETTINGS = """
store.stable_age_s = 3600
http.execute_lua = true
scripts.heartbeat_s = 0.2
retry = {first_delay_s = 0.1, maximum_delay_s = 0.3, jitter = 0}
http.users = {admin = 'secret', reader = 'secret'}
"""
JPEG, JPEG_LOSSLESS = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"
UNKNOWN_CLASS = "1.2.826.0.1.3680043.10.99"


@dataclass(frozen=True)
class House:
    """A gateway, the destinations around it, and a web server."""

    gateway: GatewayProcess
    archives: dict[str, Archive]
    web: Web
    http: httpx.Client
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def using(self, name: str, **settings: str) -> Iterator[Path]:
        """With a sample in the script folder; settings: Lua for `local NAME = ...` at its top.

        Under a name that no script had before: a script that comes back goes on where it was.
        """
        unique = f"{next(self.numbers)}-{Path(name).name}"
        script = self.gateway.script(unique, changed(name, settings))
        wait_until(lambda: self.told("script loaded", script), 30)
        yield script
        script.unlink()
        wait_until(lambda: self.told("script removed", script), 30)

    def upload(self, image: Dataset) -> str:
        answer = self.http.post("/instances", content=file_bytes(image))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["ID"])

    def send(self, image: Dataset, calling_aet: str = "MODALITY") -> int:
        """By C-STORE; answers its status."""
        file_bytes(image)  # which gives it its file meta information
        with associated(self.gateway.port, calling_aet=calling_aet) as association:
            return int(association.send_c_store(image).Status)

    def declare_stable(self) -> None:
        """As if nothing had come for long."""
        (study,) = self.ids("studies")
        lua = f"print(SetStableStatus('{study}', true))"
        assert self.http.post("/tools/execute-script", content=lua).text.strip() == "true"

    def got(self, destination: str, instances: int = 1) -> list[Dataset]:
        """What has arrived there, once it is so many instances."""
        archive = self.archives[destination]
        archive.wait_for(instances)
        assert len(archive.files) == instances
        return [dcmread(DicomBytesIO(file), force=True) for file in archive.files.values()]

    def ids(self, level: str = "instances") -> list[str]:
        return list(self.http.get(f"/{level}").json())

    def log(self, event: str) -> list[dict[str, Any]]:
        return self.gateway.events(event)

    def clear(self) -> None:
        """Nothing is stored, and nothing has arrived."""
        for patient in self.ids("patients"):
            self.http.delete(f"/patients/{patient}")
        for archive in self.archives.values():
            archive.files.clear()
            archive.deliveries.clear()
        self.web.requests.clear()

    def told(self, event: str, script: Path) -> list[dict[str, Any]]:
        return [line for line in self.log(event) if line["script"] == script.name]


def changed(name: str, settings: dict[str, str]) -> str:
    """The text of a sample with other settings."""
    source = (SAMPLES / name).read_text()
    for setting, value in settings.items():
        (line,) = (each for each in source.splitlines() if each.startswith(f"local {setting} = "))
        source = source.replace(line, f"local {setting} = {value}")
    return source


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    archives = {name: Archive() for name in DESTINATIONS}
    toml = SETTINGS + "".join(
        f"[destinations.{name}]\naet = '{name.upper()}'\nhost = '127.0.0.1'\nport = {each.port}\n"
        for name, each in archives.items()
    )
    with ExitStack() as stack:
        web = stack.enter_context(web_running())
        gateway = stack.enter_context(GatewayProcess(folder, toml))
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{gateway.http_port}", auth=("admin", "secret"), timeout=30
        )
        http = stack.enter_context(client)
        for name, archive in archives.items():
            if name != "night":  # which is off until a test switches it on
                stack.enter_context(archive.listening())
        yield House(gateway, archives, web, http)


@pytest.fixture
def house(running: House) -> Iterator[House]:
    yield running
    running.clear()


def test_everything_goes_to_all_destinations_and_then_away(house):
    with house.using("RouteEverything.lua", DELETE_AFTERWARDS="true"):
        house.upload(made_ct(1))

        assert len(house.got("archive")) == len(house.got("workstation")) == 1
        wait_until(lambda: house.ids() == [])


def test_rules_say_where_an_image_goes(house):
    with house.using("RouteByRules.lua"):
        house.send(made_ct(1, Modality="MG"))
        house.send(made_ct(2, StudyDescription="CT STROKE 2"), calling_aet="CT_EMERGENCY")
        house.send(made_ct(3, StudyDescription="Knee"))

        assert [image.InstanceNumber for image in house.got("mammography")] == [1]
        assert [image.InstanceNumber for image in house.got("stroke")] == [2]
        assert [image.InstanceNumber for image in house.got("workstation")] == [2]
        assert [image.InstanceNumber for image in house.got("archive")] == [3]


@pytest.mark.long
def test_what_no_rule_knows_is_parked_if_so_wished(house):
    with house.using("RouteByRules.lua", ELSEWHERE="nil"):
        parked = len(house.log("event parked"))
        house.upload(made_ct(1, Modality="XA"))
        wait_until(lambda: len(house.log("event parked")) > parked)

        assert "no rule fits modality XA" in house.gateway.parked_events()[-1].error


def test_a_changed_copy_is_sent_and_the_original_stays(house):
    with house.using("ChangeAndRoute.lua"):
        original = house.upload(made_ct(1, AccessionNumber="77", OperatorsName="Secret"))

        (copy,) = house.got("archive")
        assert (copy.InstitutionName, copy.AccessionNumber) == ("City Hospital", "EXT77")
        assert "OperatorsName" not in copy
        assert copy.SOPInstanceUID != made_ct(1).SOPInstanceUID
        wait_until(lambda: house.ids() == [original])


def test_research_gets_an_anonymised_study_as_soon_as_it_is_complete(house):
    with house.using("AnonymizeAndRoute.lua"):
        originals = {house.upload(made_ct(number, StudyDescription="Chest")) for number in (1, 2)}
        house.declare_stable()
        copies = house.got("research", 2)

        assert {str(copy.PatientName) for copy in copies} == {"Trial 7"}
        assert {copy.StudyDescription for copy in copies} == {"Chest"}
        assert {copy.PatientIdentityRemoved for copy in copies} == {"YES"}
        (study,) = {copy.StudyInstanceUID for copy in copies}
        assert study != made_ct(1).StudyInstanceUID
        wait_until(lambda: set(house.ids()) == originals)


@pytest.mark.long
def test_what_a_client_could_not_send_arrives_when_the_modality_is_back(house):
    with house.using("RetryFailedJobs.lua"):
        house.upload(made_ct(1))
        (study,) = house.ids("studies")
        answer = house.http.post("/modalities/night/store", content=study)
        assert answer.status_code == 500
        wait_until(lambda: any(t.action == Action.FORWARD for t in house.gateway.tasks()))

        with house.archives["night"].listening():
            assert len(house.got("night")) == 1


@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
def test_files_are_written_where_no_name_can_lead_them_astray(house, tmp_path):
    with house.using("WriteToDisk.lua", FOLDER=f"'{tmp_path}/out'"):
        image = made_ct(1, StudyDate="20260131")
        house.upload(image)
        expected = tmp_path / "out/CT/20260131" / image.StudyInstanceUID / image.SOPInstanceUID
        path = expected.with_name(f"{expected.name}.dcm")
        wait_until(path.exists)
        assert dcmread(path).PixelData == image.PixelData
        assert [each.name for each in path.parent.iterdir()] == [path.name]

        house.upload(made_ct(2, Modality="../$(x)"))
        wait_until((tmp_path / "out/_.___x_/unknown").is_dir)
        assert [each.name for each in tmp_path.iterdir()] == ["out"]


@pytest.mark.long
def test_a_web_service_is_told_of_a_study_again_after_it_has_refused(house):
    """It retries the event after the address has been put right."""
    name, wrong, right = "StudyToWebService.lua", "/status/503", "/studies"
    with house.using(name, URL=f"'{house.web.url(wrong)}'") as script:
        parked = len(house.log("event parked"))
        house.upload(made_ct(1, AccessionNumber="0012"))
        house.declare_stable()
        wait_until(lambda: len(house.log("event parked")) > parked, 30)
        house.gateway.script(script.name, changed(name, {"URL": f"'{house.web.url(right)}'"}))
        wait_until(lambda: len(house.told("script loaded", script)) > 1, 30)
        house.gateway.command("queue", "retry", "--all")
        wait_until(lambda: house.web.requests[-1].path == right, 30)

        told = house.web.requests[-1]
        assert dict(told.headers)["content-type"] == "application/json"
        (study,) = house.ids("studies")
        assert json.loads(told.body) == {
            "id": study, "study": made_ct(1).StudyInstanceUID, "accession": "0012",
            "instances": "1",
        }  # fmt: skip


def test_a_receive_filter_refuses_some_and_discards_others(house):
    with house.using("ReceiveFilter.lua"):
        assert house.send(made_ct(1, AccessionNumber="1")) == 0x0000
        assert house.send(made_ct(2)) == 0xA900
        assert house.send(made_ct(3, AccessionNumber="1", Modality="PR")) == 0x0000

        assert len(house.ids()) == 1


@pytest.mark.long
def test_readers_read_and_administrators_change(house):
    with house.using("HttpFilter.lua"):
        ask = {"Level": "Study", "Query": {}}
        reader = ("reader", "secret")
        assert house.http.get("/system", auth=reader).status_code == 200
        assert house.http.post("/tools/find", json=ask, auth=reader).status_code == 200
        assert house.http.put("/modalities/x", json=["X", "h", 1], auth=reader).status_code == 403

        instance = house.upload(made_ct(1))
        assert house.http.delete(f"/instances/{instance}", auth=reader).status_code == 403
        assert house.ids() == [instance]


@pytest.mark.long
def test_research_gets_nothing_with_a_name_whoever_sends_it(house):
    with house.using("OutgoingFilter.lua"):
        for image in (made_ct(1), made_ct(2, PatientIdentityRemoved="YES")):
            instance = house.upload(image)
            assert house.http.post("/modalities/research/store", content=instance).is_success
            assert house.http.post("/modalities/archive/store", content=instance).is_success

        assert [image.InstanceNumber for image in house.got("research")] == [2]
        house.got("archive", 2)


@pytest.mark.parametrize(
    ("calling_aet", "compressed"),
    [("VNA", {JPEG, JPEG_LOSSLESS, JPEG2000Lossless}), ("OTHER", set())],
)
def test_only_those_who_are_trusted_may_send_compressed_images(house, calling_aet, compressed):
    proposed = [(CT, [each]) for each in (JPEG, JPEG_LOSSLESS, JPEG2000Lossless, EXPLICIT)]
    proposed.append((UNKNOWN_CLASS, [EXPLICIT]))
    with (
        house.using("TransferSyntaxSwitches.lua", RESEARCH_NETWORK="'127.'"),
        associated(house.gateway.port, proposed, calling_aet) as association,
    ):
        accepted = {
            (str(each.abstract_syntax), str(each.transfer_syntax[0]))
            for each in association.accepted_contexts
        }

    assert accepted == {
        (CT, EXPLICIT), (UNKNOWN_CLASS, EXPLICIT), *((CT, each) for each in compressed),
    }  # fmt: skip


@pytest.mark.long
def test_what_is_odd_stays_in_quarantine_until_somebody_mends_it(house):
    """Here the PatientID is one that another system has made up."""
    find = {"Level": "Study", "Query": {}, "Labels": ["quarantine"]}
    image = made_ct(1, PatientID="TEMP-7", AccessionNumber="A1", StudyDate="20260131")
    with house.using("Quarantine.lua"):
        odd = house.upload(image)
        wait_until(lambda: house.http.post("/tools/find", json=find).json())
        reason = house.http.get(f"/instances/{odd}/metadata/1030").text
        assert reason == "unexpected: PatientID"

        (patient,) = house.ids("patients")
        mended = {"Replace": {"PatientID": "123456"}, "Force": True, "KeepSource": False}
        answer = house.http.post(f"/patients/{patient}/modify", json=mended)
        assert answer.is_success, answer.text

        assert [image.PatientID for image in house.got("archive")] == ["123456"]
        assert house.http.post("/tools/find", json=find).json() == []


def test_a_monitor_hears_a_heartbeat(house):
    house.upload(made_ct(1))
    with house.using("HeartBeat.lua", URL=f"'{house.web.url('/beat')}'"):
        wait_until(lambda: len(house.web.requests) >= 2)

    beat = json.loads(house.web.requests[0].body)
    assert (beat["aet"], beat["instances"]) == ("GATEWAY", "1")


@pytest.mark.long
def test_studies_take_turns_and_stay_together(house):
    workstations = "{ 'reading-1', 'reading-2' }"
    with house.using("TakingTurns.lua", WORKSTATIONS=workstations):
        for number, study in enumerate(("1.2.1", "1.2.2", "1.2.1", "1.2.2", "1.2.3"), 1):
            house.upload(made_ct(number, StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1"))

        first = {image.StudyInstanceUID for image in house.got("reading-1", 3)}
        assert first == {"1.2.1", "1.2.3"}
        assert {image.StudyInstanceUID for image in house.got("reading-2", 2)} == {"1.2.2"}


@pytest.mark.peer
@pytest.mark.skipif(not shutil.which("gdcmconv"), reason="gdcmconv is not installed")
@pytest.mark.parametrize("name", ["GdcmconvBefore.lua", "GdcmconvAfter.lua"])
@pytest.mark.long
def test_a_legacy_script_and_what_is_made_of_it_have_the_same_effect(house, name):
    original = made_ct(1, rows=64, columns=64)
    with house.using(f"legacy/{name}"):
        instance = house.upload(original)
        house.got("archive")

        assert house.ids() == [instance]
        kept = dcmread(io.BytesIO(house.http.get(f"/instances/{instance}/file").content))
        assert kept.file_meta.TransferSyntaxUID == JPEG2000Lossless
        assert (kept.pixel_array == original.pixel_array).all()
