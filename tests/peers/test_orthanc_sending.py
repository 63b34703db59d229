"""Archives, modalities and peers: the same request to Orthanc and to the gateway."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from dimse_support import associated
from images import made_ct, save
from orthanc_peer import ENVIRONMENT, ORTHANC, Pair, Request, Server, pair_running
from ports import free_port
from pydicom import Dataset, dcmread
from scu import c_store
from waiting import wait_until

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
]

NOBODY = "00000000-00000000-00000000-00000000-00000000"
SIZES = dict.fromkeys(
    ("UncompressedSize", "ArchiveSize", "Size"), "each server writes its file meta information"
)
J2K_LOSSY = "1.2.840.10008.1.2.4.91"  # an Orthanc without plugins cannot write it


def images() -> list[Dataset]:
    """Several patients, studies and series; names that are hard to make folders of."""
    awkward = 'M\u00fcller^"J\u00f6rg" <x> a/b\\c'
    made = [
        made_ct(5),
        made_ct(3, SeriesDescription="T1 (axial)"),
        made_ct(9, SeriesInstanceUID="1.2.1", Modality="RTSTRUCT"),
        made_ct(8, SeriesInstanceUID="1.2.2", Modality="RTSTRUCT"),
        made_ct(2, StudyInstanceUID="1.3.1", SeriesInstanceUID="1.2.3", AccessionNumber="A-1"),
        made_ct(7, StudyInstanceUID="1.3.2", SeriesInstanceUID="1.2.4", AccessionNumber="A_1"),
        made_ct(4, StudyInstanceUID="1.3.3", SeriesInstanceUID="1.2.5", AccessionNumber="A1"),
        made_ct(
            6, PatientID="P-2", PatientName=awkward, SpecificCharacterSet="ISO_IR 100",
            StudyInstanceUID="1.3.4", SeriesInstanceUID="1.2.6", Modality="X",
            StudyDescription="  two   words  ", SeriesDescription="a.b_c,d;e",
        ),
    ]  # fmt: skip
    for image in made:  # where a date is missing, Orthanc makes one up for its DICOMDIR
        image.StudyDate, image.StudyTime, image.StudyID = "20200102", "010203", "1"
        image.SeriesNumber = 3
    return made


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    files = [save(image, folder / f"{place}.dcm") for place, image in enumerate(images())]
    with pair_running(folder) as both:
        for server in (both.gateway, both.orthanc):
            store(server, files)
        yield both


def store(server: Server, files: Sequence[Path]) -> None:
    """Send the files, in this order."""
    with associated(server.dicom_port) as association:
        for file in files:
            assert c_store(association, dcmread(file)) == 0


@pytest.fixture
def storescp(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """DCMTK's receiver: its port, and the folder that it writes to."""
    with receiver(tmp_path / "received") as running:
        yield running


@contextmanager
def receiver(folder: Path, *options: str) -> Iterator[tuple[int, Path]]:
    program = shutil.which("storescp")
    if program is None:
        pytest.skip("storescp is not installed")
    folder.mkdir()
    port = free_port()
    process = subprocess.Popen(
        [program, *options, "-aet", "ARCHIVE", "-od", str(folder), str(port)], env=ENVIRONMENT
    )
    try:
        echo = ["echoscu", "127.0.0.1", str(port)]
        wait_until(
            lambda: subprocess.run(echo, env=ENVIRONMENT, capture_output=True).returncode == 0, 20
        )
        yield port, folder
    finally:
        process.terminate()
        process.wait(10)


def assert_alike(pair: Pair, request: Request) -> None:
    """Ask both. Details have words of their own, and Orthanc does not say that errors are JSON."""
    ours, theirs = pair.gateway.ask(request), pair.orthanc.ask(request)
    assert (ours.status_code, content_of(ours)) == (theirs.status_code, content_of(theirs))


def content_of(response: httpx.Response) -> Any:
    try:
        content = response.json()
    except ValueError:
        return response.content
    if isinstance(content, dict):
        content.pop("Details", None)
    return content


def unpacked(response: httpx.Response) -> dict[str, str]:
    """The files of an archive, in their order, and the SOP instances that they hold."""
    assert response.status_code == 200, response.text[:500]
    with ZipFile(BytesIO(response.content)) as archive:
        assert archive.testzip() is None
        return {
            name: dcmread(BytesIO(archive.read(name))).SOPInstanceUID
            for name in archive.namelist()
            if name != "DICOMDIR"
        }


def directory(response: httpx.Response) -> list[dict[str, str]]:
    """The records of a DICOMDIR. Offsets depend on the length of what stands before."""
    with ZipFile(BytesIO(response.content)) as media:
        dataset = dcmread(BytesIO(media.read("DICOMDIR")))
    return sorted(
        (
            {
                element.keyword: str(element.value)
                for element in record
                if "Offset" not in element.keyword and element.value not in (None, "")
            }
            for record in dataset.DirectoryRecordSequence
        ),
        key=str,
    )


def ids(pair: Pair, level: str) -> list[str]:
    return list(pair.orthanc.client.get(f"/{level}").json())


def both(pair: Pair, ask: Callable[[httpx.Client], Any]) -> tuple[Any, Any]:
    """What the gateway answers, and what Orthanc does."""
    return ask(pair.gateway.client), ask(pair.orthanc.client)


# --- archives ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["archive", "media"])
@pytest.mark.parametrize("level", ["patients", "studies", "series"])
def test_archives_hold_the_same_files_under_the_same_names(
    pair: Pair, level: str, kind: str
) -> None:
    for each in ids(pair, level):
        ours, theirs = both(pair, lambda client, each=each: client.get(f"/{level}/{each}/{kind}"))
        assert list(unpacked(ours).items()) == list(unpacked(theirs).items())
        for header in ("Content-Type", "Content-Disposition"):
            assert ours.headers[header] == theirs.headers[header]


@pytest.mark.parametrize("kind", ["archive", "media", "media-extended"])
def test_archives_of_lists_are_alike_in_whatever_order_they_are_asked_for(
    pair: Pair, kind: str
) -> None:
    everything = [*ids(pair, "instances")[::-1], *ids(pair, "patients")]
    for body in (everything, {"Resources": everything[2:]}, []):
        ours, theirs = both(
            pair, lambda client, body=body: client.post(f"/tools/create-{kind}", json=body)
        )
        assert list(unpacked(ours).items()) == list(unpacked(theirs).items())
        assert ours.headers["Content-Disposition"] == theirs.headers["Content-Disposition"]


@pytest.mark.parametrize("kind", ["media", "media-extended"])
def test_directories_of_media_say_the_same(pair: Pair, kind: str) -> None:
    # Without the patient whose name is not ASCII: Orthanc leaves letters out.
    patients = [
        each["ID"]
        for each in pair.orthanc.client.get("/patients?expand").json()
        if each["MainDicomTags"]["PatientName"].isascii()
    ]
    ours, theirs = both(pair, lambda client: client.post(f"/tools/create-{kind}", json=patients))
    assert directory(ours) == directory(theirs)


@pytest.mark.parametrize("query", [f"transcode={J2K_LOSSY}", "transcode=1.2.840.10008.1.2"])
def test_archives_are_transcoded_where_that_is_possible(pair: Pair, query: str) -> None:
    study = ids(pair, "studies")[0]
    ours, theirs = both(pair, lambda client: client.get(f"/studies/{study}/archive?{query}"))
    assert list(unpacked(ours)) == list(unpacked(theirs))


@pytest.mark.parametrize("kind", ["archive", "media"])
def test_jobs_that_make_archives_are_told_alike(pair: Pair, kind: str) -> None:
    study = ids(pair, "studies")[0]
    told = []
    for server in (pair.gateway, pair.orthanc):
        job = finished(server, f"/studies/{study}/{kind}", {"Asynchronous": True, "Priority": 2})
        content = {name: each for name, each in job["Content"].items() if name not in SIZES}
        told.append((job["Type"], job["State"], job["Priority"], job["Progress"], content))
        assert unpacked(server.client.get(f"/jobs/{job['ID']}/archive"))
    assert told[0] == told[1]


def finished(server: Server, path: str, body: Any) -> dict[str, Any]:
    """The job that a request makes, when it has ended."""
    answer = server.client.post(path, json=body).json()
    assert answer.keys() == {"ID", "Path"}
    last: dict[str, Any] = {}

    def has_ended() -> bool:
        last.update(server.client.get(answer["Path"]).json())
        return last["State"] in ("Success", "Failure")

    wait_until(has_ended, 30)
    return last


BAD_ARCHIVES = [
    ("POST", "/studies/{study}/archive", body)
    for body in (
        "", "x", '{"Asynchronous":1}', '{"Synchronous":"x"}', '{"Priority":"1"}',
        '{"Priority":1.0,"Asynchronous":true}', '{"Transcode":5}', '{"Transcode":"x"}',
    )
] + [
    ("POST", "/studies/{study}/media", '{"Extended":"x"}'),
    ("POST", "/studies/nope/archive", "{}"),
    ("POST", "/studies/nope/archive", '{"Asynchronous":true}'),
    ("GET", "/studies/nope/archive", ""),
    ("GET", "/studies/{study}/archive?transcode=x", ""),
    ("GET", "/instances/{study}/archive", ""),
    *(
        ("POST", "/tools/create-archive", body)
        for body in ("", '"x"', "{}", "[1]", '["nope"]', '{"Resources":"x"}', "5")
    ),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), BAD_ARCHIVES)
def test_bad_requests_for_archives_are_refused_alike(
    pair: Pair, method: str, path: str, body: str
) -> None:
    study = ids(pair, "studies")[0]
    path = path.replace("{study}", study)
    assert_alike(pair, Request(method, path, content=body.encode() or None))


# --- modalities ----------------------------------------------------------------------------------


def put(server: Server, path: str, what: Any) -> httpx.Response:
    return server.client.put(path, json=what)


MODALITIES = [
    ["A", "h", 104],
    ["A", "h", "104"],
    ["A", "h", 104, "Vitrea"],
    ["A", "h", 104, "EFilm2"],
    {"AET": "A", "Host": "h", "Port": 104},
    {"AET": "A", "Host": "h", "Port": "104", "AllowEcho": False, "Timeout": 7, "LocalAet": "B"},
    {"AET": "A", "Host": "h", "Port": 104, "AllowStorageCommitment": False, "Other": 1},
    {"AET": "A", "Host": "h", "Port": 104, "AllowTranscoding": False, "Manufacturer": "GE"},
    {}, [], "x", ["A"], ["A", "h", 0], ["A", "h", 70000], ["A", "h", -1], ["A", "h", "x"],
    ["A", "h", 1.5], ["A", "h", None], ["A", "h", True], [1, "h", 1], ["A", 5, 1],
    ["A", "h", 1, "Nope"], ["A", "h", 1, "generic"], ["A", "h", 1, "Generic", "x"],
    {"AET": "A"}, {"AET": "A", "Host": "h"}, {"AET": "A", "Host": "h", "Port": 1.5},
    {"AET": "A", "Host": "h", "Port": 1, "AllowEcho": "x"},
    {"AET": "A", "Host": "h", "Port": 1, "Timeout": -1},
    {"AET": "A", "Host": "h", "Port": 1, "Timeout": "5"},
    {"AET": "A", "Host": "h", "Port": 1, "Manufacturer": 5},
    {"AET": "A", "Host": "h", "Port": 1, "LocalAet": 5},
]  # fmt: skip


@pytest.mark.parametrize("what", MODALITIES, ids=json.dumps)
def test_modalities_are_put_and_shown_alike(pair: Pair, what: Any) -> None:
    assert_alike(pair, Request("PUT", "/modalities/m", json=what))
    for path in (
        "/modalities",
        "/modalities?expand",
        "/modalities/m",
        "/modalities/m/configuration",
    ):
        assert_alike(pair, Request("GET", path))
    assert_alike(pair, Request("DELETE", "/modalities/m"))
    assert_alike(pair, Request("DELETE", "/modalities/m"))


BAD_SENDING = [
    "", "x", "{}", '["x"]', "[1]", "5", f'"{NOBODY}"', NOBODY, f'{{"Resources":"{NOBODY}"}}',
    f'{{"Resources":["{NOBODY}"],"Permissive":true}}', '{"Resources":[],"Permissive":"x"}',
    '{"Resources":[],"Priority":"x"}',
]  # fmt: skip


@pytest.mark.parametrize("kind", ["modalities", "peers"])
@pytest.mark.parametrize("body", BAD_SENDING)
def test_bad_requests_to_send_are_refused_alike(pair: Pair, kind: str, body: str) -> None:
    known = {"modalities": ["A", "127.0.0.1", 4], "peers": ["http://127.0.0.1:9/"]}[kind]
    for server in (pair.gateway, pair.orthanc):
        put(server, f"/{kind}/m", known)
    for name in ("m", "nobody"):
        request = Request("POST", f"/{kind}/{name}/store", content=body.encode() or None)
        assert_alike(pair, request)
    for server in (pair.gateway, pair.orthanc):
        server.client.delete(f"/{kind}/m")


@pytest.mark.parametrize(
    "body",
    ['{"Resources":[],"LocalAet":5}', '{"Resources":[],"Timeout":"x"}',
     '{"Resources":[],"MoveOriginatorAet":"A","MoveOriginatorID":70000}'],
)  # fmt: skip
def test_bad_options_of_sending_over_dicom_are_refused_alike(pair: Pair, body: str) -> None:
    for server in (pair.gateway, pair.orthanc):
        put(server, "/modalities/m", ["A", "127.0.0.1", 4])
    assert_alike(pair, Request("POST", "/modalities/m/store", content=body.encode()))
    for server in (pair.gateway, pair.orthanc):
        server.client.delete("/modalities/m")


ECHOES = ["", "{}", "x", '{"Timeout":3}', '{"Timeout":"x"}', '{"Timeout":-1}']


@pytest.mark.parametrize("body", ECHOES)
def test_echoes_are_answered_alike(pair: Pair, storescp: tuple[int, Path], body: str) -> None:
    for name, port in (("m", storescp[0]), ("dead", 4)):
        for server in (pair.gateway, pair.orthanc):
            put(server, f"/modalities/{name}", ["ARCHIVE", "127.0.0.1", port])
        request = Request("POST", f"/modalities/{name}/echo", content=body.encode() or None)
        assert_alike(pair, request)
        for server in (pair.gateway, pair.orthanc):
            server.client.delete(f"/modalities/{name}")


@pytest.mark.parametrize("body", ["", "x", "{}", '["A"]', '["A","127.0.0.1",4]'])
def test_echoes_to_anybody_are_refused_alike(pair: Pair, body: str) -> None:
    assert_alike(pair, Request("POST", "/tools/dicom-echo", content=body.encode() or None))


@pytest.mark.parametrize(
    "options",
    [{}, {"Permissive": True}, {"LocalAet": "ME", "Timeout": 5},
     {"MoveOriginatorAet": "AA", "MoveOriginatorID": 5}, {"MoveOriginatorID": 5},
     {"MoveOriginatorAet": "AA"}],
)  # fmt: skip
def test_instances_are_stored_alike(
    pair: Pair, storescp: tuple[int, Path], options: dict[str, Any]
) -> None:
    port, folder = storescp
    received = []
    resources = [ids(pair, "patients")[0], ids(pair, "series")[1], ids(pair, "instances")[2]]
    for server in (pair.gateway, pair.orthanc):
        put(server, "/modalities/m", ["ARCHIVE", "127.0.0.1", port])
    assert_alike(
        pair, Request("POST", "/modalities/m/store", json={"Resources": resources, **options})
    )
    received = [path.name for path in folder.iterdir()]
    assert received
    for body in (json.dumps(resources), resources[0], f'"{resources[0]}"', "[]"):
        assert_alike(pair, Request("POST", "/modalities/m/store", content=body.encode()))
    jobs = [
        finished(server, "/modalities/m/store", {"Resources": resources, "Asynchronous": True})
        for server in (pair.gateway, pair.orthanc)
    ]
    for key in ("Type", "State", "Progress", "Content", "ErrorCode", "ErrorDescription"):
        assert jobs[0][key] == jobs[1][key]
    for server in (pair.gateway, pair.orthanc):
        server.client.delete("/modalities/m")


def test_a_receiver_of_one_syntax_gets_the_same_images_from_both(
    pair: Pair, tmp_path: Path
) -> None:
    received = []
    for server in (pair.gateway, pair.orthanc):
        with receiver(tmp_path / server.name, "+xi") as (port, folder):
            put(server, "/modalities/m", ["ARCHIVE", "127.0.0.1", port])
            study = ids(pair, "studies")[0]
            assert server.client.post("/modalities/m/store", content=study).status_code == 200
            received.append({path.name: dcmread(path) for path in folder.iterdir()})
        server.client.delete("/modalities/m")
    assert received[0] == received[1]


def test_who_is_not_there_fails_requests_and_jobs_alike(pair: Pair) -> None:
    study = ids(pair, "studies")[0]
    for kind, nobody in (
        ("modalities", ["NOBODY", "127.0.0.1", 4]), ("peers", ["http://127.0.0.1:9/"]),
    ):  # fmt: skip
        for server in (pair.gateway, pair.orthanc):
            put(server, f"/{kind}/m", nobody)
        request = Request("POST", f"/{kind}/m/store", content=study.encode())
        assert_alike(pair, request)
        jobs = [
            finished(server, f"/{kind}/m/store", {"Resources": [study], "Asynchronous": True})
            for server in (pair.gateway, pair.orthanc)
        ]
        for key in ("Type", "State", "Progress", "ErrorCode", "ErrorDescription"):
            assert jobs[0][key] == jobs[1][key]
        for server in (pair.gateway, pair.orthanc):
            server.client.delete(f"/{kind}/m")


def test_files_are_sent_straight_alike(pair: Pair, storescp: tuple[int, Path]) -> None:
    for server in (pair.gateway, pair.orthanc):
        put(server, "/modalities/m", ["ARCHIVE", "127.0.0.1", storescp[0]])
        put(server, "/modalities/dead", ["ARCHIVE", "127.0.0.1", 4])
    image = BytesIO()
    made = made_ct(1)
    made.file_meta = dcmread(_written(storescp[1].parent)).file_meta
    made.save_as(image, enforce_file_format=True)
    for name in ("m", "dead", "nobody"):
        for content in (image.getvalue(), b"x", b""):
            if name == "dead" and content != image.getvalue():
                continue
            assert_alike(
                pair, Request("POST", f"/modalities/{name}/store-straight", content=content)
            )
    for server in (pair.gateway, pair.orthanc):
        server.client.delete("/modalities/m")
        server.client.delete("/modalities/dead")


def _written(folder: Path) -> Path:
    return save(made_ct(1), folder / "straight.dcm")


# --- peers ---------------------------------------------------------------------------------------

PEERS = [
    ["http://a/"], ["http://a"], ["http://a/", "u", "p"], {"Url": "http://a/"},
    {"URL": "http://a/"}, {"Url": "http://a/", "Username": "u"},
    {"Url": "http://a/", "HttpHeaders": {"B": "c", "A": "b"}, "Note": "mine", "Timeout": 3},
    {"Url": "http://a/", "Number": 5, "Truth": True, "Username": "u", "Password": "p"},
    {}, [], "x", ["ftp://x"], ["http://x", "u"], ["http://x", "u", "p", "q"], {"Url": 5},
    {"Url": "http://x", "Timeout": "x"}, {"Url": "http://x", "Timeout": "5"},
    {"Url": "http://x", "Timeout": -1}, {"Url": "http://x", "HttpHeaders": []},
    {"Url": "http://x", "HttpHeaders": {"A": 1}}, {"Url": "http://x", "Note": [1]},
    {"Url": "http://x", "Username": "u", "Password": 5},
    {"Url": "https://x", "CertificateFile": "/no/such/file"},
]  # fmt: skip


@pytest.mark.parametrize("what", PEERS, ids=json.dumps)
def test_peers_are_put_and_shown_alike(pair: Pair, what: Any) -> None:
    assert_alike(pair, Request("PUT", "/peers/p", json=what))
    for path in ("/peers", "/peers?expand", "/peers/p", "/peers/p/configuration"):
        assert_alike(pair, Request("GET", path))
    assert_alike(pair, Request("DELETE", "/peers/p"))
    assert_alike(pair, Request("DELETE", "/peers/p"))


@pytest.mark.parametrize(
    "options", [{}, {"Compress": True}, {"Permissive": True}, {"Transcode": "1.2.840.10008.1.2"}]
)
def test_each_sends_to_the_other_and_tells_the_same(pair: Pair, options: dict[str, Any]) -> None:
    series = ids(pair, "series")[1]
    told = []
    for server, other in ((pair.gateway, pair.orthanc), (pair.orthanc, pair.gateway)):
        put(server, "/peers/other", [str(other.client.base_url)])
        answer = server.client.post("/peers/other/store", json={"Resources": [series], **options})
        assert answer.status_code == 200, answer.text
        assert server.client.get("/peers/other/system").json() == other.client.get("/system").json()
        content = answer.json()
        assert content.pop("Peer") == [f"{str(other.client.base_url).rstrip('/')}/"]
        told.append({name: each for name, each in content.items() if name not in SIZES})
    assert told[0] == told[1]


def test_instances_travel_both_ways_over_dicom_and_http(pair: Pair, tmp_path: Path) -> None:
    for number, (server, other) in enumerate(
        ((pair.gateway, pair.orthanc), (pair.orthanc, pair.gateway))
    ):
        for kind, uid in (("modalities", f"1.5.{number}"), ("peers", f"1.6.{number}")):
            image = made_ct(1, PatientID=kind, SOPInstanceUID=uid)
            path = save(image, tmp_path / f"{uid}.dcm")
            store(server, [path])
            stored = next(
                each
                for each in server.client.get("/instances").json()
                if tags_of(server, each)["SOPInstanceUID"] == uid
            )
            remote = {
                "modalities": ["GATEWAY", "127.0.0.1", other.dicom_port],
                "peers": [str(other.client.base_url)],
            }[kind]
            put(server, f"/{kind}/other", remote)
            assert server.client.post(f"/{kind}/other/store", content=stored).status_code == 200
            assert tags_of(other, stored)["SOPInstanceUID"] == uid
            server.client.delete(f"/{kind}/other")
            for each in (pair.gateway, pair.orthanc):
                each.client.delete(f"/instances/{stored}")


def tags_of(server: Server, instance_id: str) -> dict[str, Any]:
    answer = server.client.get(f"/instances/{instance_id}/simplified-tags")
    return dict(answer.json())


def test_what_a_peer_answers_to_a_file_sent_straight_is_passed_on(
    pair: Pair, tmp_path: Path
) -> None:
    data = _written(tmp_path).read_bytes()
    for server, other in ((pair.gateway, pair.orthanc), (pair.orthanc, pair.gateway)):
        put(server, "/peers/other", [str(other.client.base_url)])
        answer = server.client.post("/peers/other/store-straight", content=data)
        assert (answer.status_code, answer.json().keys() >= {"ID", "Path", "Status"}) == (200, True)
        other.client.delete(answer.json()["Path"])
        refused = server.client.post("/peers/other/store-straight", content=b"x")
        assert (refused.status_code, refused.json()["OrthancStatus"]) == (500, 9)
        server.client.delete("/peers/other")
