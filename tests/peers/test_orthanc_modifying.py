"""Modification, anonymization and jobs: the same request to both, the same result.

New UIDs are random: they are compared by what they stand for.
"""

from collections.abc import Iterator
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import pydicom
import pytest
from images import made_ct, save
from orthanc_peer import ORTHANC, Pair, Server, pair_running
from pydicom import Dataset
from pydicom.sequence import Sequence
from waiting import wait_until

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not ORTHANC, reason="Orthanc is not installed"),
]

ROOT = "1.2.826.0.1.3680043.10.999"
IDENTIFIERS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
LEVELS = ("patients", "studies", "series")
# What is made anew by each of them, in its own way.
OWN_WORDS = {"PatientName", "PatientID", "DeidentificationMethod"}


def image(number: int) -> Dataset:
    """One of two series of two, which refer to each other; with names and texts worth hiding."""
    made = made_ct(number)
    series = 1 + (number > 2)
    made.SpecificCharacterSet = "ISO_IR 100"
    made.PatientID, made.PatientName = "P1", "Dupont^Jérôme"
    made.PatientBirthDate, made.PatientSex = "19700102", "M"
    made.StudyDate, made.StudyTime, made.StudyID = "20200101", "101010", "S1"
    made.AccessionNumber, made.StudyDescription = "A1", "Étude"
    made.InstitutionName, made.ReferringPhysicianName = "Hôpital", "Doc^Tor"
    made.StudyInstanceUID, made.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.1.{series}"
    made.SOPInstanceUID, made.FrameOfReferenceUID = f"{ROOT}.1.{series}.{number}", f"{ROOT}.1.77"
    made.ReferencedImageSequence = Sequence([reference(1), reference(2), reference(9)])
    made.ReferencedStudySequence = Sequence([reference(8)])
    block = made.private_block(0x0011, "ACME 1.0", create=True)
    block.add_new(1, "LO", "private é")
    block.add_new(2, "UI", made.SOPInstanceUID)
    return made


def reference(number: int) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    item.ReferencedSOPInstanceUID = f"{ROOT}.1.{1 + (number > 2)}.{number}"
    return item


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    files = [save(image(number), folder / f"{number}.dcm") for number in (1, 2, 3, 4)]
    with pair_running(folder) as both:
        both.upload(files)
        yield both


@pytest.fixture(scope="module")
def ids(pair: Pair) -> dict[str, str]:
    """One resource of each level; both know it by the same id."""
    instance = sorted(
        each["ID"]
        for each in pair.orthanc.client.get("/instances?expand").json()
        if each["MainDicomTags"]["SOPInstanceUID"] == f"{ROOT}.1.1.1"
    )[0]
    parents = {
        level: pair.orthanc.client.get(f"/instances/{instance}/{singular}").json()["ID"]
        for level, singular in (("patients", "patient"), ("studies", "study"), ("series", "series"))
    }
    return {"instances": instance, **parents}


def told(dataset: Dataset, path: str = "") -> dict[str, Any]:
    """Path -> value of all elements; UIDs that are not of the source by their first place."""
    found: dict[str, Any] = {}
    for element in dataset:
        name = path + (element.keyword or str(element.tag))
        if element.keyword in OWN_WORDS:
            found[name] = bool(element.value)
        elif element.VR == "SQ":
            for number, item in enumerate(element.value):
                found |= told(item, f"{name}[{number}].")
            found[name] = len(element.value)
        else:
            found[name] = element.value
    return found


def canonical(elements: dict[str, Any]) -> dict[str, Any]:
    """The same, with each new UID replaced by the first path that it is found at."""
    seen: dict[str, str] = {}
    for path, value in elements.items():
        if isinstance(value, pydicom.uid.UID) and not value.startswith(("1.2.840.10008.", ROOT)):
            elements[path] = "new: " + seen.setdefault(str(value), path)
    return elements


def file_of(server: Server, uri: str, body: Any) -> dict[str, Any]:
    answer = server.client.post(uri, json=body)
    assert answer.status_code == 200, (server.name, answer.text)
    assert answer.headers["Content-Type"] == "application/dicom"
    dataset = pydicom.dcmread(BytesIO(answer.content))
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    return canonical(
        {"TransferSyntaxUID": str(dataset.file_meta.TransferSyntaxUID), **told(dataset)}
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"Replace": {"PatientName": "Müller^Ü", "0008,103e": "x", "0010-0040": "F"}},
        {"Replace": {"WindowCenter": "1\\2", "Rows": "8", "StudyDate": "", "PatientAge": "x"}},
        {"Remove": ["PatientBirthDate", "0010-0040", "00080080", "0011,1002", "PatientWeight"]},
        {"Remove": ["ReferencedImageSequence", "ReferencedStudySequence"]},
        {"Remove": ["ReferencedImageSequence[0].ReferencedSOPClassUID"]},
        {"Remove": ["ReferencedImageSequence[*].ReferencedSOPClassUID"]},
        {"Replace": {"ReferencedImageSequence[1].ReferencedSOPInstanceUID": "1.9"}},
        {"Replace": {"ReferencedImageSequence[7].ReferencedSOPInstanceUID": "1.9"}},
        {"Replace": {"OtherPatientIDsSequence[0].PatientID": "1"}},
        {"Replace": {"PatientID[0].PatientName": "x"}},
        {"Replace": {"ReferencedStudySequence": [{"ReferencedSOPInstanceUID": "3.4"}, {}]}},
        {"Replace": {"ReferencedStudySequence": []}},
        {"Replace": {"PatientName": None, "InstanceNumber": "7"}},
        {"Replace": {"SeriesInstanceUID": "1.2.3"}, "Force": True},
        {"Replace": {"PatientID": "X"}, "Keep": ["StudyInstanceUID"], "Force": True},
        {"RemovePrivateTags": True},
        {"Replace": {"PatientName": "a"}, "Keep": ["PatientName"]},
        {"Replace": {"PatientName": "a"}, "Remove": ["PatientName"]},
        {"Keep": ["PatientName"], "Remove": ["PatientName"]},
        {"Replace": {"SOPInstanceUID": "1.2.3"}, "Force": True},
        {"Keep": ["SOPInstanceUID"], "Force": True},
        {"Replace": {"StudyInstanceUID": "1.2.3", "PatientID": "X"}, "Force": True},
        {"Replace": {"PatientName": "data:application/octet-stream;base64,QUJD"}},
        {"Replace": {"TransferSyntaxUID": "1.2.3"}},
        {"Remove": ["PixelData"]},
        {"KeepSource": "x", "DicomVersion": "x", "KeepPrivateTags": 3},
    ],
    ids=str,
)
def test_a_modified_instance_is_alike(pair: Pair, ids: dict[str, str], body: Any) -> None:
    uri = f"/instances/{ids['instances']}/modify"
    theirs, ours = (file_of(server, uri, body) for server in (pair.orthanc, pair.gateway))
    # A reference to the instance itself, which Orthanc leaves on the source.
    for path in ("ReferencedImageSequence[0].ReferencedSOPInstanceUID", "(0011,1002)"):
        if ours.get(path) == "new: SOPInstanceUID" or path in theirs:
            ours.pop(path, None)
            theirs.pop(path, None)
    assert ours == theirs


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"DicomVersion": "2021b"},
        {"DicomVersion": "2017c"},
        {"DicomVersion": "2008"},
        {"KeepPrivateTags": True},
        {"RemovePrivateTags": 3},
        {"Keep": ["StudyDescription", "ReferencedImageSequence"]},
        {"Replace": {"StudyDescription": "d", "PatientName": "x"}},
        {"Remove": ["Modality"]},
        {"Keep": ["StudyInstanceUID", "SeriesInstanceUID"], "Force": True},
        {"Replace": {"PatientID": "X", "SOPInstanceUID": "1.2"}, "Force": True},
    ],
    ids=str,
)
def test_an_anonymized_instance_is_alike(pair: Pair, ids: dict[str, str], body: Any) -> None:
    uri = f"/instances/{ids['instances']}/anonymize"
    theirs, ours = (file_of(server, uri, body) for server in (pair.orthanc, pair.gateway))
    for path in ("(0011,1002)", "ReferencedImageSequence[0].ReferencedSOPInstanceUID"):
        if body.get("KeepPrivateTags") or "ReferencedImageSequence" in body.get("Keep", []):
            ours.pop(path, None)  # ours follow the instance, wherever they are
            theirs.pop(path, None)
    if "SOPInstanceUID" in body.get("Replace", {}):
        # The instance has the UID that was asked for; Orthanc's reference to it another one.
        path = "ReferencedImageSequence[0].ReferencedSOPInstanceUID"
        assert ours.pop(path) == "new: SOPInstanceUID"
        theirs.pop(path)
    assert ours == theirs


def every_element() -> Dataset:
    """One image with each element of PS3.6 that has a value of a simple kind."""
    made = image(1)
    made.SOPInstanceUID, made.SeriesInstanceUID = f"{ROOT}.2.1.1", f"{ROOT}.2.1"
    made.StudyInstanceUID, made.PatientID = f"{ROOT}.2", "P2"
    values = {
        "AE": "AET", "AS": "030Y", "CS": "CODE", "DA": "20200202", "DS": "1.5", "IS": "7",
        "DT": "20200202101010", "LO": "Long", "LT": "Text", "PN": "Na^Me", "SH": "Short",
        "ST": "Text", "TM": "101010", "UC": "Text", "UI": f"{ROOT}.5", "UT": "Text", "US": 7,
        "UR": "http://x", "FD": 1.5, "FL": 1.5, "SL": 7, "SS": 7, "UL": 7,
    }  # fmt: skip
    groups = [0x8, 0x10, 0x12, 0x14, 0x18, 0x20, 0x32, 0x38, 0x3A, 0x40, 0x44, 0x400, 0x3006,
              0x3008, 0x300A, 0x300C, 0x300E, 0x3010, 0x4008, 0x4010]  # fmt: skip
    for tag, (vr, _vm, _name, _retired, keyword) in pydicom.datadict.DicomDictionary.items():
        if keyword and tag >> 16 in groups and vr in values and tag not in made:
            made.add_new(tag, vr, values[vr])
    return made


@pytest.mark.parametrize("version", ["2008", "2017c", "2021b"])
def test_each_element_is_anonymized_alike(pair: Pair, tmp_path: Path, version: str) -> None:
    pair.upload([save(every_element(), tmp_path / "every.dcm")])
    (found,) = pair.orthanc.client.post("/tools/lookup", content=f"{ROOT}.2.1.1").json()
    body = {"DicomVersion": version}
    theirs, ours = (
        file_of(server, f"{found['Path']}/anonymize", body)
        for server in (pair.orthanc, pair.gateway)
    )
    assert ours == theirs


@pytest.mark.parametrize("level", [*LEVELS, "instances"])
@pytest.mark.parametrize("operation", ["modify", "anonymize"])
def test_the_same_is_refused(pair: Pair, ids: dict[str, str], level: str, operation: str) -> None:
    for force, field, tag in product((False, True), ("Remove", "Replace", "Keep"), IDENTIFIERS):
        body = {field: {tag: "1.2"} if field == "Replace" else [tag], "Force": force}
        assert_refused_alike(pair, f"/{level}/{ids[level]}/{operation}", body)


def assert_refused_alike(pair: Pair, uri: str, body: Any) -> None:
    """When Orthanc refuses it, we do, in the same words where it has some. Nothing is stored."""
    theirs = pair.orthanc.client.post(uri, json={**body, "Priority": "refuse me"})
    ours = pair.gateway.client.post(uri, json={**body, "Priority": "refuse me"})
    assert ours.status_code == theirs.status_code, (body, ours.text)
    if "Priority" in theirs.text or theirs.status_code == 200:
        return
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"], body
    if "Details" in theirs.json():
        assert ours.json()["Details"] == theirs.json()["Details"], body


@pytest.mark.parametrize(
    "body",
    [
        [], "x", {"Replace": []}, {"Remove": {}}, {"Remove": [3]}, {"Keep": "x"}, {"Force": 1},
        {"Replace": {"PatientName": 3}},
        {"Replace": {"PatientName": ["a"]}}, {"Replace": {"PatientName": {"a": "b"}}},
        {"Replace": {"ReferencedStudySequence": [3]}},
        {"Replace": {"ReferencedStudySequence": [{"PatientName": 3}]}},
        {"Replace": {"ReferencedStudySequence": "x"}}, {"Replace": {"Rows": "abc"}},
        {"Replace": {"ReferencedStudySequence[x].PatientName": "a"}},
        {"RemovePrivateTags": "x"}, {"PrivateCreator": 3}, {"Transcode": 3}, {"Transcode": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_alike(pair: Pair, ids: dict[str, str], body: Any) -> None:
    uri = f"/instances/{ids['instances']}/modify"
    theirs, ours = (server.client.post(uri, json=body) for server in (pair.orthanc, pair.gateway))
    assert ours.status_code == theirs.status_code, (ours.text, theirs.text)
    assert ours.json()["OrthancStatus"] == theirs.json()["OrthancStatus"]


@pytest.mark.parametrize("uri", ["/instances/nope/modify", "/studies/nope/anonymize"])
def test_what_is_not_there_is_refused_alike(pair: Pair, uri: str) -> None:
    theirs, ours = (server.client.post(uri, json={}) for server in (pair.orthanc, pair.gateway))
    assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json())


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("operation", ["modify", "anonymize"])
def test_the_results_of_a_job_are_alike(
    pair: Pair, ids: dict[str, str], level: str, operation: str
) -> None:
    body: dict[str, Any] = {"Replace": {"StudyDescription": "new"}}
    if (level, operation) == ("patients", "modify"):
        body = {"Replace": {"PatientID": f"NEW-{operation}"}, "Force": True}
    theirs, ours = (
        result_of(server, f"/{level}/{ids[level]}/{operation}", body)
        for server in (pair.orthanc, pair.gateway)
    )
    assert ours == theirs


def result_of(server: Server, uri: str, body: Any) -> dict[str, Any]:
    """The answer, and the metadata of all that was made; it is deleted again."""
    source = uri.rpartition("/")[0]
    answer = server.client.post(uri, json=body).json()
    made = server.client.get(f"{answer['Path']}/instances").json()
    note = "AnonymizedFrom" if uri.endswith("anonymize") else "ModifiedFrom"
    found = {
        "keys": sorted(answer),
        "answer": {key: answer[key] for key in ("Type", "InstancesCount", "IsAnonymization")},
        "instances": len(made),
        "from": sorted(noted(server, f"/instances/{each['ID']}", note) for each in made),
        "parents": [
            noted(server, f"/{plural}/{parent(server, made[0]['ID'], one)}", note)
            for plural, one in (("series", "series"), ("studies", "study"), ("patients", "patient"))
        ][-2 if len(made) > 2 else 0 :],
        "origin": noted(server, f"/instances/{made[0]['ID']}", "Origin"),
        "kept": server.client.get(source).status_code,
    }
    for each in made:
        server.client.delete(f"/instances/{each['ID']}")
    return found


def noted(server: Server, path: str, name: str) -> str:
    answer = server.client.get(f"{path}/metadata/{name}")
    return answer.text if answer.status_code == 200 else ""


def parent(server: Server, instance_id: str, level: str) -> str:
    return server.client.get(f"/instances/{instance_id}/{level}").json()["ID"]


def test_a_job_is_told_alike(pair: Pair, ids: dict[str, str]) -> None:
    theirs, ours = (job_of(server, ids["studies"]) for server in (pair.orthanc, pair.gateway))
    assert ours == theirs


def job_of(server: Server, study_id: str) -> dict[str, Any]:
    body = {"Asynchronous": True, "Priority": 3}
    answer = server.client.post(f"/studies/{study_id}/modify", json=body).json()
    assert sorted(answer) == ["ID", "Path"]
    path = answer["Path"]
    job = wait_until(lambda: ended(server, path))
    for key in ("CompletionTime", "CreationTime", "Timestamp"):
        assert len(job.pop(key)) == len("20261122T194319.205168")
    for key in ("EffectiveRuntime", "ID"):
        job.pop(key)
    made = job["Content"].pop("ID")
    assert job["Content"].pop("Path") == f"/studies/{made}"
    actions = {
        action: server.client.post(f"{path}/{action}").status_code
        for action in ("cancel", "pause", "resume", "resubmit")
    }
    output = server.client.get(f"{path}/archive")
    server.client.delete(f"/studies/{made}")
    return job | {"actions": actions, "output": (output.status_code, output.json()["Details"])}


def ended(server: Server, path: str) -> dict[str, Any]:
    job: dict[str, Any] = server.client.get(path).json()
    return job if job["State"] == "Success" else {}


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "resubmit"])
def test_what_is_done_to_unknown_jobs_is_answered_alike(pair: Pair, action: str) -> None:
    theirs, ours = (
        server.client.post(f"/jobs/nope/{action}") for server in (pair.orthanc, pair.gateway)
    )
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
