"""Find, look up, metadata, attachments and changes: the same to Orthanc and to the gateway."""

from collections.abc import Iterator
from typing import Any

import pytest
from images import made_ct, save
from orthanc_peer import ORTHANC, Pair, Request, Server, pair_running
from pydicom import Dataset
from pydicom.sequence import Sequence

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
]

MOMENTS = dict.fromkeys(["LastUpdate", "ReceptionDate", "Date"], "the clock went on")
SIZES = dict.fromkeys(
    ["FileSize", "PixelDataOffset"], "each server writes the file meta information itself"
)
NAMES = dict.fromkeys(["FileUuid", "Uuid"], "random in Orthanc")
UNLIKE = MOMENTS | SIZES | NAMES | {"IsStable": "a matter of time"}
UIDS = "1.2.826.0.1.3680043.10"


def images() -> list[Dataset]:
    """Three patients; each patient's data are the same in all of their studies."""
    code = Dataset()
    code.CodeValue = "ABC"

    def image(number: int, study: int, series: int, **attributes: object) -> Dataset:
        return made_ct(
            number,
            StudyInstanceUID=f"{UIDS}.2.{study}",
            SeriesInstanceUID=f"{UIDS}.3.{series}",
            **attributes,
        )

    john = {"PatientID": "P1", "PatientName": "Doe^John", "PatientSex": "M"}
    chest = john | {"StudyDate": "20200101", "AccessionNumber": "ACC1", "StudyTime": "120000"}
    return [
        image(1, 1, 1, **chest, StudyDescription="Chest CT", SeriesNumber="1", SliceThickness="1.5",
              ProcedureCodeSequence=Sequence([code]), ImageComments="hello"),
        image(2, 1, 1, **chest, SliceThickness="1.5"),
        image(3, 1, 2, **chest, Modality="MR", NumberOfSlices=4, NumberOfTimeSlices=3),
        image(4, 2, 3, **john, StudyDate="20210615", Modality="MR", StudyDescription="Head"),
        image(5, 3, 4, PatientID="p2", PatientName="SMITH^Änne", SpecificCharacterSet="ISO_IR 100",
              StudyDate="20220101", AccessionNumber="acc1", StudyDescription="chest ct"),
        image(6, 4, 5, PatientID="P3", PatientName="", StudyDate="", Modality="US"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    toml = """
[rest]
check_revisions = true
[rest.metadata]
checked-by = 1030
[rest.attachments.report]
number = 1036
media_type = "application/pdf"
"""
    orthanc = {
        "CheckRevisions": True,
        "UserMetadata": {"checked-by": 1030},
        "UserContentType": {"report": [1036, "application/pdf"]},
    }
    with pair_running(folder, toml, **orthanc) as both:
        both.upload([save(image, folder / f"{n}.dcm") for n, image in enumerate(images())])
        yield both


def assert_alike(pair: Pair, request: Request) -> None:
    """The same answer; Orthanc does not say of a refusal that it is JSON."""
    theirs, ours = pair.orthanc.ask(request), pair.gateway.ask(request)
    if theirs.status_code < 400 or not theirs.content:
        pair.assert_alike(request)
        return
    refusals = [response.json() for response in (theirs, ours)]
    for refusal in refusals:
        refusal.pop("Details", None)  # told in words of our own
    assert refusals[1] == refusals[0]


def find(level: str, query: dict[str, Any], **options: Any) -> Request:
    body = {"Level": level, "Query": query, "Expand": True, **options}
    return Request("POST", "/tools/find", json=body, unlike=UNLIKE)


FOUND = [
    ("Patient", [{}, {"PatientName": "doe^john"}, {"PatientName": "*JOHN"}, {"PatientName": "Doe"},
                 {"PatientName": "Doe^Joh?"}, {"PatientName": "Doe^Jo?"}, {"PatientName": "*"},
                 {"PatientName": ""}, {"PatientName": "smith^ä*"}, {"PatientName": "smith^Anne"},
                 {"PatientID": "P1\\p2"}, {"PatientID": "P*\\p2"}, {"PatientID": "P*"},
                 {"PatientID": "P2"}, {"PatientID": "P1-P3"}, {"0010,0020": "P1"},
                 {"0010-0020": "P1"}, {"00100020": "P1"}, {"PatientBirthDate": "19600101-"},
                 {"StudyDescription": "Head"}, {"Modality": "MR"}, {"ModalitiesInStudy": "MR"},
                 {"PatientBirthDate": "1970*"}]),
    ("Study", [{}, {"StudyDate": "20200101-20201231"}, {"StudyDate": "-20201231"},
               {"StudyDate": "20210101-"}, {"StudyDate": "20200101"}, {"StudyDate": "-"},
               {"StudyDate": "2020*"}, {"StudyDate": "20200101\\20220101"}, {"StudyDate": ""},
               {"StudyTime": "110000-130000"}, {"StudyTime": "12*"}, {"AccessionNumber": "acc1"},
               {"AccessionNumber": "A*1"}, {"StudyDescription": "chest*"},
               {"StudyInstanceUID": f"{UIDS}.2.1\\{UIDS}.2.2"}, {"StudyInstanceUID": "1.2*"},
               {"PatientID": "P1"}, {"PatientName": "Doe*"}, {"Modality": "CT"},
               {"SliceThickness": "1.5"}, {"PatientSex": "m"}, {"PatientSex": "*"},
               {"ProcedureCodeSequence": ""}, {"ProcedureCodeSequence": "*"},
               {"ProcedureCodeSequence": [{"CodeValue": "ABC"}]}, {"PatientID": 5},
               {"PatientID": None}, {"0010,0020": "P1", "PatientID": "p2"},
               {"SpecificCharacterSet": "ISO_IR 100"}, {"AccessionNumber": "ACC1-ACC2"}]),
    ("Series", [{"Modality": "mr"}, {"Modality": "CT\\US"}, {"PatientID": "P1"}, {"Modality": "C*"},
                {"StudyInstanceUID": f"{UIDS}.2.1"}, {"SeriesNumber": "1"}, {"SeriesNumber": "1*"},
                {"SliceThickness": "1.5"}, {"ModalitiesInStudy": "MR"}]),
    ("Instance", [{"SliceThickness": "1.5"}, {"SliceThickness": "1.5*"}, {"ImageComments": "HELLO"},
                  {"InstanceNumber": "1"}, {"InstanceNumber": "1*"}, {"PatientID": "P1"},
                  {"Rows": "4", "PatientID": "P1"}, {"Modality": "US"}, {"Rows": "4*"},
                  {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, {"SOPClassUID": "*"},
                  {"ProcedureCodeSequence": "ABC"}, {"0009,1001": "x"}, {"0009,1001": ""}]),
]  # fmt: skip


@pytest.mark.parametrize(
    "request_", [find(level, query) for level, queries in FOUND for query in queries], ids=str
)
def test_the_same_is_found(pair: Pair, request_: Request) -> None:
    assert_alike(pair, request_)


@pytest.mark.parametrize("case_sensitive", [True, False])
@pytest.mark.parametrize(
    "query", [{"PatientName": "doe^john"}, {"PatientName": "Doe*"}, {"AccessionNumber": "acc1"},
              {"StudyDescription": "Chest*"}, {"PatientSex": "m"}],
)  # fmt: skip
def test_case_matters_alike(pair: Pair, query: dict[str, Any], case_sensitive: bool) -> None:
    assert_alike(pair, find("Study", query, CaseSensitive=case_sensitive))


@pytest.mark.parametrize("query", ["CT", "MR\\US", "M*", "mr"])
def test_the_same_studies_have_a_modality(pair: Pair, query: str) -> None:
    body = {"Level": "Study", "Query": {"ModalitiesInStudy": query}}
    theirs, ours = (
        sorted(server.ask(Request("POST", "/tools/find", json=body)).json())
        for server in (pair.orthanc, pair.gateway)
    )
    assert ours == theirs


@pytest.mark.parametrize(
    "options",
    [{"Limit": 2}, {"Limit": 2, "Since": 1}, {"Since": 2}, {"Limit": 0}, {"Since": 100},
     {"Limit": -1}, {"Since": -1}, {"Limit": "2"}, {"Limit": 2.5}, {"CaseSensitive": "x"},
     {"Full": True}, {"Short": True}, {"Full": True, "Short": True}, {"Expand": False}],
    ids=str,
)  # fmt: skip
def test_options_mean_the_same(pair: Pair, options: dict[str, Any]) -> None:
    assert_alike(pair, find("Series", {"PatientID": "P1"}, **options))


@pytest.mark.parametrize(
    "body", [{}, {"Level": "Study"}, {"Query": {}}, {"Level": 1, "Query": {}}, [], "x",
             {"Level": "x", "Query": {}}, {"Level": "", "Query": {}}],
    ids=str,
)  # fmt: skip
def test_a_wrong_find_is_refused_alike(pair: Pair, body: Any) -> None:
    assert_alike(pair, Request("POST", "/tools/find", json=body))


@pytest.mark.parametrize("level", ["study", "STUDY", "Studies", "Instances", "image", "SERIES"])
def test_levels_are_named_alike(pair: Pair, level: str) -> None:
    assert_alike(pair, find(level, {"PatientID": "P1"}))


@pytest.mark.parametrize(
    "value", ["P1", "p1", "P2", " P1 ", "ACC1", f"{UIDS}.2.1", f"{UIDS}.3.1", f"{UIDS}.1.1", "P*",
              "*", "", "Doe^John", "nobody"],
)  # fmt: skip
def test_the_same_is_looked_up(pair: Pair, value: str) -> None:
    assert_alike(pair, Request("POST", "/tools/lookup", content=value.encode()))


@pytest.mark.parametrize("body", [[], "x", {}, {"Resources": "x"}, {"Resources": [1]}], ids=str)
def test_a_wrong_deletion_is_refused_alike(pair: Pair, body: Any) -> None:
    assert_alike(pair, Request("POST", "/tools/bulk-delete", json=body))


def test_deleting_nobody_is_answered_alike(pair: Pair) -> None:
    assert_alike(pair, Request("POST", "/tools/bulk-delete", json={"Resources": ["nobody"]}))


@pytest.fixture(scope="module")
def resources(pair: Pair) -> dict[str, list[str]]:
    """The ids of each level."""
    levels = ("patients", "studies", "series", "instances")
    return {level: pair.orthanc.client.get(f"/{level}").json() for level in levels}


@pytest.mark.parametrize("level", ["patients", "studies", "series", "instances"])
@pytest.mark.parametrize("path", ["metadata", "metadata?expand", "attachments", "attachments?full"])
def test_each_resource_tells_the_same_of_itself(
    pair: Pair, resources: dict[str, list[str]], level: str, path: str
) -> None:
    for each in resources[level]:
        assert_alike(pair, Request("GET", f"/{level}/{each}/{path}", unlike=UNLIKE))


@pytest.mark.parametrize(
    "name",
    [
        "TransferSyntax",
        "9",
        "IndexInSeries",
        "Origin",
        "RemoteIP",
        "LastUpdate",
        "nonsense",
        "1024",
        "1023",
        "65536",
        "checked-by",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_metadata_are_answered_alike(
    pair: Pair, resources: dict[str, list[str]], method: str, name: str
) -> None:
    path = f"/instances/{resources['instances'][0]}/metadata/{name}"
    if method == "PUT" and name in ("1024", "checked-by"):
        pytest.skip("tested as a sequence")
    assert_alike(pair, Request(method, path, content=b"x" if method == "PUT" else None))


OF_FILES = ["", "/info", "/is-compressed", "/verify-md5", "/compress", "/nonsense"]


@pytest.mark.parametrize("operation", OF_FILES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_file_of_an_instance_is_told_of_alike(
    pair: Pair, resources: dict[str, list[str]], method: str, operation: str
) -> None:
    path = f"/instances/{resources['instances'][0]}/attachments/dicom{operation}"
    theirs, ours = (server.ask(Request(method, path)) for server in (pair.orthanc, pair.gateway))
    assert ours.status_code == theirs.status_code
    if operation == "/info" and method == "GET":
        assert ours.json().keys() == theirs.json().keys()
    elif operation != "/nonsense" and theirs.status_code == 200:
        assert ours.json() == theirs.json()


def steps_of(server: Server, path: str, read: str) -> Iterator[tuple[Any, ...]]:
    """What a server says to one client that writes, replaces and deletes; and to one that errs."""
    client = server.client

    def say(method: str, content: bytes = b"", tag: str | None = None) -> tuple[Any, ...]:
        headers = {} if tag is None else {"If-Match": tag}
        response = client.request(method, path, content=content, headers=headers)
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        body = response.content.strip() if response.status_code == 200 else b""
        return response.status_code, kind, body, response.headers.get("ETag")

    yield client.get(path + read).status_code, None
    first = say("PUT", b"one")
    yield first
    yield say("PUT", b"two")[0], None
    yield say("DELETE")[0], None
    yield say("PUT", b"two", '"0-00000000000000000000000000000000"')[0], None
    yield say("PUT", b"two", "nonsense")[0], None
    yield say("PUT", b"two", first[3])
    answer = client.get(path + read)
    yield answer.status_code, answer.content, answer.headers["Content-Type"].partition(";")[0]
    tag = answer.headers["ETag"]
    yield client.get(path + read, headers={"If-None-Match": tag}).status_code, None
    yield say("DELETE", tag=tag)
    yield client.get(path + read).status_code, None
    yield say("DELETE", tag=tag)[0], None


@pytest.mark.parametrize(
    ("name", "read"),
    [("metadata/1024", ""), ("metadata/checked-by", ""), ("attachments/1024", "/data"),
     ("attachments/report", "/data"), ("attachments/report", "/md5"),
     ("attachments/report", "/size"), ("attachments/report", "/compressed-data")],
)  # fmt: skip
def test_writing_replacing_and_deleting_are_answered_alike(
    pair: Pair, resources: dict[str, list[str]], name: str, read: str
) -> None:
    path = f"/studies/{resources['studies'][0]}/{name}"
    theirs, ours = (list(steps_of(server, path, read)) for server in (pair.orthanc, pair.gateway))
    assert ours == theirs


def assert_changes_alike(pair: Pair) -> None:
    """Apart from stability, which is a matter of time."""
    for path in ("/changes?limit=1000", "/changes?limit=3", "/changes?since=2&limit=2"):
        theirs, ours = (
            [
                (each["ChangeType"], each["Path"], each["ResourceType"], each["ID"])
                for each in server.client.get(path).json()["Changes"]
                if not each["ChangeType"].startswith("Stable")
            ]
            for server in (pair.orthanc, pair.gateway)
        )
        assert ours == theirs, path


def test_the_same_changes_are_told(pair: Pair) -> None:
    """Who writes metadata and attachments here writes them to both."""
    assert_changes_alike(pair)


@pytest.mark.parametrize(
    "path", ["/changes?since=2&limit=2", "/exports", "/exports?last",
             "/exports?since=3&limit=1"],
)  # fmt: skip
def test_logs_are_paged_alike(pair: Pair, path: str) -> None:
    left, right = (server.client.get(path).json() for server in (pair.orthanc, pair.gateway))
    for page in (left, right):
        for each in page.get("Changes", []):
            each.pop("Date")
    assert right == left


def test_what_is_deleted_leaves_the_log_alike(pair: Pair) -> None:
    """The last test of the module: it deletes."""
    patients = pair.orthanc.client.get("/patients").json()
    for server in (pair.orthanc, pair.gateway):
        server.client.delete(f"/patients/{patients[0]}")
    assert_changes_alike(pair)
    for server in (pair.orthanc, pair.gateway):
        response = server.client.delete("/changes")
        assert (response.status_code, response.content) == (200, b"")
        assert server.client.get("/changes").json()["Changes"] == []
