"""Two servers in a row: the gateway follows a real Orthanc, and another gateway."""

import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from archive import Archive
from dimse_support import associated
from gateway_process import GatewayProcess
from images import made_ct, save
from orthanc_peer import ORTHANC, OrthancProcess, client_of
from pydicom import Dataset
from scu import c_store
from waiting import wait_until

pytestmark = pytest.mark.peer
needs_orthanc = pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed")

FORWARD = """
function OnStoredInstance(instanceId, tags, metadata, origin)
  print(origin.RequestOrigin, origin.RemoteAet, origin.CalledAet, metadata.RemoteAET)
  Forward(instanceId, 'archive')
end
"""
MANY = 200
BEGUN_ANEW = "a source has begun its changes anew, as with another database: all of it is taken"


def toml(url: str, archive: Archive, *lines: str) -> str:
    """What a gateway that follows a server is configured with."""
    return "\n".join(
        (
            "retry.first_delay_s = 0.1",
            "retry.maximum_delay_s = 0.5",
            archive.destination("archive"),
            "[[follow]]",
            "name = 'old'",
            f"url = '{url}'",
            "start = 'beginning'",
            "poll_interval_s = 0.1",
            *lines,
        )
    )


def images(count: int, first: int = 1) -> list[Dataset]:
    """Some, in studies of ten."""
    made = []
    for number in range(first, first + count):
        study = f"1.2.826.0.1.3680043.10.2.{number // 10}"
        pixels = {"rows": 64, "columns": 64}
        made.append(
            made_ct(number, **pixels, StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1")
        )
    return made


def send(port: int, made: Sequence[Dataset], folder: Path) -> None:
    """By C-STORE, as a modality."""
    folder.mkdir(exist_ok=True)
    with associated(port, calling_aet="CT1") as association:
        for number, image in enumerate(made):
            path = save(image, folder / f"{number}.dcm")
            assert c_store(association, path) == 0


@contextmanager
def orthanc(folder: Path, **configuration: object) -> Iterator[OrthancProcess]:
    process = OrthancProcess(folder / "orthanc", **configuration)
    try:
        process.start()
        yield process
    finally:
        process.kill()


def uids(made: Sequence[Dataset]) -> set[str]:
    return {str(image.SOPInstanceUID) for image in made}


def event_count(gateway: GatewayProcess) -> int:
    """How many instances scripts were told of."""
    with sqlite3.connect(gateway.folder / "data" / "index.sqlite", timeout=30) as index:
        return int(
            index.execute("select count(*) from event where kind='OnStoredInstance'").fetchone()[0]
        )


def instances_at(server: OrthancProcess) -> list[str]:
    return list(httpx.get(f"{server.url}/instances", timeout=60).json())


@needs_orthanc
def test_all_that_an_orthanc_gets_is_handed_on_by_a_script(tmp_path):
    made, archive = images(25), Archive()
    with archive.listening(), orthanc(tmp_path) as old:
        send(old.dicom_port, made[:10], tmp_path / "files")
        gateway = GatewayProcess(tmp_path / "gateway", toml(old.url, archive))
        gateway.script("forward.lua", FORWARD)
        with gateway:
            archive.wait_for(10)
            send(old.dicom_port, made[10:], tmp_path / "files")
            archive.wait_for(25)
            assert len(instances_at(old)) == 25
        assert set(archive.deliveries) == uids(made)
        assert set(archive.deliveries.values()) == {1}
    printed = [str(line["says"]) for line in gateway.events("script says")]
    assert set(printed) == {"DicomProtocol, CT1, GATEWAY, CT1"}


@needs_orthanc
@pytest.mark.long
def test_an_orthanc_is_emptied_when_that_is_wished(tmp_path):
    made, archive = images(25), Archive()
    with archive.listening(), orthanc(tmp_path) as old:
        send(old.dicom_port, made, tmp_path / "files")
        gateway = GatewayProcess(
            tmp_path / "gateway", toml(old.url, archive, "delete_at_source = true")
        )
        gateway.script("forward.lua", FORWARD)
        with gateway:
            archive.wait_for(25)
            wait_until(lambda: not instances_at(old), 30)
            # Numbers of changes are not given again: it does not look like another database.
            send(old.dicom_port, made[:5], tmp_path / "files")
            wait_until(lambda: not instances_at(old), 30)
            assert not gateway.events(BEGUN_ANEW)
            assert event_count(gateway) == 25


@needs_orthanc
@pytest.mark.long
def test_an_orthanc_with_users_and_a_password_is_followed(tmp_path):
    archive = Archive()
    users = {"AuthenticationEnabled": True, "RegisteredUsers": {"alice": "secret"}}
    with archive.listening(), orthanc(tmp_path, **users) as old:
        send(old.dicom_port, images(3), tmp_path / "files")
        who = ("username = 'alice'", "password = 'secret'")
        gateway = GatewayProcess(tmp_path / "gateway", toml(old.url, archive, *who))
        gateway.script("forward.lua", FORWARD)
        with gateway:
            archive.wait_for(3)


@needs_orthanc
@pytest.mark.long
def test_whole_studies_are_taken_once_orthanc_calls_them_stable(tmp_path):
    archive = Archive()
    with archive.listening(), orthanc(tmp_path, StableAge=1) as old:
        gateway = GatewayProcess(
            tmp_path / "gateway", toml(old.url, archive, "take = 'StableStudy'")
        )
        gateway.script("forward.lua", FORWARD)
        with gateway:
            send(old.dicom_port, images(12), tmp_path / "files")
            archive.wait_for(12)


@needs_orthanc
@pytest.mark.long
def test_an_orthanc_that_is_killed_is_followed_when_it_is_back(tmp_path):
    made, archive = images(60), Archive()
    with archive.listening(), orthanc(tmp_path) as old:
        send(old.dicom_port, made[:30], tmp_path / "files")
        gateway = GatewayProcess(tmp_path / "gateway", toml(old.url, archive))
        gateway.script("forward.lua", FORWARD)
        with gateway:
            archive.wait_for(5)
            old.kill()
            wait_until(lambda: gateway.events("a source cannot be followed now"), 30)
            assert gateway.is_ready()
            old.start()
            send(old.dicom_port, made[30:], tmp_path / "files")
            archive.wait_for(60)
            wait_until(lambda: gateway.events("a source is followed again"), 30)
            assert event_count(gateway) == 60


@needs_orthanc
@pytest.mark.long
def test_an_orthanc_that_lost_its_database_is_followed_from_its_beginning(tmp_path):
    made, archive = images(20), Archive()
    with archive.listening(), orthanc(tmp_path) as old:
        send(old.dicom_port, made[:15], tmp_path / "files")
        gateway = GatewayProcess(tmp_path / "gateway", toml(old.url, archive))
        gateway.script("forward.lua", FORWARD)
        with gateway:
            archive.wait_for(15)
            old.kill()
            shutil.rmtree(old.folder / "db")
            old.start()
            send(old.dicom_port, made[12:], tmp_path / "files")
            archive.wait_for(20)
            assert event_count(gateway) == 20
            assert len(gateway.events(BEGUN_ANEW)) == 1


@needs_orthanc
@pytest.mark.long
def test_a_gateway_that_is_killed_on_the_way_loses_nothing_and_tells_scripts_once(tmp_path):
    made, archive = images(MANY), Archive()
    with archive.listening(), orthanc(tmp_path) as old:
        send(old.dicom_port, made, tmp_path / "files")
        gateway = GatewayProcess(tmp_path / "gateway", toml(old.url, archive))
        gateway.script("forward.lua", FORWARD)
        with gateway:
            for taken in (20, 60, 110):
                wait_until(lambda taken=taken: event_count(gateway) >= taken, 30)
                gateway.kill()
                assert event_count(gateway) < MANY, "it was not killed on the way"
                gateway.start()
            archive.wait_for(MANY)
            wait_until(lambda: event_count(gateway) >= MANY, 30)
        assert event_count(gateway) == MANY
        assert set(archive.deliveries) == uids(made)


@pytest.mark.long
def test_a_gateway_follows_a_gateway(tmp_path):
    made, archive = images(30), Archive()
    first = GatewayProcess(tmp_path / "first", "store.stable_age_s = 1\n")
    with archive.listening(), first:
        send(first.port, made, tmp_path / "files")
        url = f"http://127.0.0.1:{first.http_port}"
        second = GatewayProcess(tmp_path / "second", toml(url, archive, "delete_at_source = true"))
        second.script("forward.lua", FORWARD)
        with second:
            archive.wait_for(30)
            wait_until(lambda: httpx.get(f"{url}/instances").json() == [], 30)
            first.kill()
            first.start()
            send(first.port, images(5, first=100), tmp_path / "files")
            archive.wait_for(35)
        assert set(archive.deliveries.values()) == {1}


class Poller:
    """A client of /changes as Orthanc's users write them: ask, handle, go on at Last until Done."""

    def __init__(self, url: str) -> None:
        self._client = client_of(url)
        self._last = 0
        self.seen: list[tuple[str, str]] = []

    def poll(self) -> None:
        """All that is new; four changes at a time, so that there are pages."""
        while True:
            asked = {"since": self._last, "limit": 4}
            page = self._client.get("/changes", params=asked).json()
            for change in page["Changes"]:
                self.seen.append((change["ChangeType"], change["ID"]))
            self._last = page["Last"]
            if page["Done"]:
                return

    def kinds(self, kind: str) -> list[str]:
        """The resources that this has been said of by now."""
        return [resource for each, resource in self.seen if each == kind]

    def has_stable_studies(self, count: int) -> bool:
        """Whether so many have been told of, after another look."""
        self.poll()
        return len(self.kinds("StableStudy")) >= count

    def close(self) -> None:
        self._client.close()


@needs_orthanc
def test_a_client_that_polls_changes_sees_the_same_of_both_servers(tmp_path):
    made = images(12)
    gateway = GatewayProcess(tmp_path / "gateway", "store.stable_age_s = 1\n")
    with orthanc(tmp_path, StableAge=1) as old, gateway:
        servers = (
            (old.dicom_port, Poller(old.url)),
            (gateway.port, Poller(f"http://127.0.0.1:{gateway.http_port}")),
        )
        for port, poller in servers:
            poller.poll()
            send(port, made[:7], tmp_path / "files")
            poller.poll()
            send(port, made[7:], tmp_path / "files")
            poller.poll()
            assert len(poller.kinds("NewInstance")) == 12
        for _, poller in servers:
            wait_until(lambda poller=poller: poller.has_stable_studies(2), 30)
            poller.close()
        theirs, ours = (poller.seen for _, poller in servers)
        assert [each for each in ours if each[0].startswith("New")] == [
            each for each in theirs if each[0].startswith("New")
        ]
        assert set(ours) == set(theirs)
