"""/modify and /anonymize, over a real store."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from images import made_ct
from pydicom import Dataset
from pydicom.sequence import Sequence
from rest_support import GatewayApi, bundled, unchanged

from gateway.rest.job import new_job
from gateway.rest.jobs import JobKind
from gateway.rest.modify_job import ModifyJob
from gateway.store.jobs import JobTable

CT = "1.2.840.10008.5.1.4.1.1.2"
ROOT = "1.2.826.0.1.3680043.10.999"


def reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = CT
    item.ReferencedSOPInstanceUID = uid
    return item


@pytest.fixture
def study(gateway_api: GatewayApi) -> list[str]:
    """Two series of two images that refer to each other; the ids of the instances."""
    return gateway_api.store_all(related_images())


@pytest.fixture(scope="module")
def _one_api(tmp_path_factory, lazy_codecs) -> Iterator[GatewayApi]:
    api = GatewayApi(tmp_path_factory.mktemp("modify"), lazy_codecs)
    api.store_all(related_images())
    yield api
    api.close()


@pytest.fixture
def api(_one_api: GatewayApi) -> Iterator[GatewayApi]:
    """The same study, for tests that change nothing."""
    with unchanged(_one_api) as api:
        yield api


@pytest.fixture
def instance(api: GatewayApi) -> str:
    """The id of its first one."""
    return api.get_json("/instances")[0]


def related_images() -> Iterator[Dataset]:
    for number in range(1, 5):
        image = made_ct(number)
        image.SpecificCharacterSet = "ISO_IR 100"
        image.PatientID, image.PatientName = "P1", "Dupont^Jérôme"
        image.StudyDescription = "Étude"
        image.StudyInstanceUID = f"{ROOT}.1"
        image.SeriesInstanceUID = f"{ROOT}.1.{1 + (number > 2)}"
        image.SOPInstanceUID = f"{ROOT}.1.9.{number}"
        image.FrameOfReferenceUID = f"{ROOT}.1.77"
        image.ReferencedImageSequence = Sequence(
            [reference(f"{ROOT}.1.9.{other}") for other in (1, 2, 3, 4)]
        )
        block = image.private_block(0x0011, "ACME 1.0", create=True)
        block.add_new(1, "LO", "private é")
        yield image


def parent(api: GatewayApi, instance_id: str, level: str) -> str:
    return api.get_json(f"/instances/{instance_id}/{level}")["ID"]


def read(api: GatewayApi, instance_id: str) -> Dataset:
    return pydicom.dcmread(api.file_of(instance_id))


def answered(api: GatewayApi, uri: str, body: Any) -> Dataset:
    answer = api.post(uri, json.dumps(body))
    assert answer.status_code == 200, answer.get_data()
    assert answer.headers["Content-Type"] == "application/dicom"
    data = b"".join(answer.response)
    answer.close()
    assert int(answer.headers["Content-Length"]) == len(data)
    return pydicom.dcmread(io.BytesIO(data))


def refusal(api: GatewayApi, uri: str, body: Any) -> tuple[int, int, str]:
    answer = api.post(uri, json.dumps(body))
    problem = answer.get_json(force=True)
    return answer.status_code, problem["OrthancStatus"], problem.get("Details", "")


def instances_of(api: GatewayApi, path: str) -> list[str]:
    return [each["ID"] for each in api.get_json(f"{path}/instances")]


def leftovers(api: GatewayApi) -> list[Path]:
    return list((api.settings.store.folder / "incoming").iterdir())


# --- an instance ---------------------------------------------------------------------------------


def test_a_modified_instance_is_answered_as_a_file_and_not_kept(gateway_api, study):
    before = read(gateway_api, study[0])

    made = answered(
        gateway_api,
        f"/instances/{study[0]}/modify",
        {"Replace": {"PatientName": "Léa^Ö", "WindowCenter": "40\\80"}, "Remove": ["0008-1030"]},
    )

    assert str(made.PatientName) == "Léa^Ö"
    assert made.SpecificCharacterSet == "ISO_IR 100"
    assert made.WindowCenter == [40, 80]
    assert "StudyDescription" not in made
    assert made.SOPInstanceUID not in (before.SOPInstanceUID, "")
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    assert made.StudyInstanceUID == before.StudyInstanceUID
    assert made.PixelData == before.PixelData
    assert len(gateway_api.get_json("/instances")) == 4
    assert leftovers(gateway_api) == []


def test_nothing_changes_but_the_uid_when_nothing_is_asked_for(gateway_api, study):
    made = answered(gateway_api, f"/instances/{study[0]}/modify", {})
    before = read(gateway_api, study[0])

    before.SOPInstanceUID = made.SOPInstanceUID
    before.ReferencedImageSequence[0].ReferencedSOPInstanceUID = made.SOPInstanceUID
    assert made == before


def test_text_that_does_not_fit_turns_the_whole_data_set_to_utf_8(gateway_api, study):
    made = answered(
        gateway_api, f"/instances/{study[0]}/modify", {"Replace": {"PatientName": "Жук^é"}}
    )

    assert made.SpecificCharacterSet == "ISO_IR 192"
    assert str(made.PatientName) == "Жук^é"
    assert made.StudyDescription == "Étude"
    assert made[0x0011, 0x1001].value == "private é"


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "image_dfl.dcm",
        "JPEG2000.dcm",
        "MR_small_RLE.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "reportsi.dcm",
    ],
)
def test_pixels_and_their_encoding_stay_as_they_were(gateway_api, name):
    path = bundled(name)
    before = pydicom.dcmread(path)
    instance_id = gateway_api.store(path)

    made = answered(
        gateway_api, f"/instances/{instance_id}/modify", {"Replace": {"PatientName": "X"}}
    )

    # Explicit VR Big Endian is retired: nothing is made in it any more.
    is_big_endian = before.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.2"
    expected = "1.2.840.10008.1.2.1" if is_big_endian else before.file_meta.TransferSyntaxUID
    assert made.file_meta.TransferSyntaxUID == expected
    assert made.PatientName == "X"
    if is_big_endian:
        assert (made.pixel_array == before.pixel_array).all()
    else:
        assert made.get("PixelData") == before.get("PixelData")
    assert {e.tag for e in made} - {e.tag for e in before} == set()
    assert leftovers(gateway_api) == []


def test_an_instance_is_transcoded_when_that_is_asked_for(gateway_api, study):
    before = read(gateway_api, study[0])

    made = answered(
        gateway_api,
        f"/instances/{study[0]}/modify",
        {"Replace": {"PatientName": "X"}, "Transcode": "1.2.840.10008.1.2.4.80"},
    )

    assert made.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.80"
    assert made.PatientName == "X"
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    assert (made.pixel_array == before.pixel_array).all()
    assert leftovers(gateway_api) == []


def test_paths_lead_into_items(gateway_api, study):
    made = answered(
        gateway_api,
        f"/instances/{study[0]}/modify",
        {
            "Replace": {"ReferencedImageSequence[1].ReferencedSOPInstanceUID": "1.9"},
            "Remove": ["ReferencedImageSequence[*].ReferencedSOPClassUID"],
        },
    )

    items = made.ReferencedImageSequence
    assert [str(item.ReferencedSOPInstanceUID) for item in items][1:] == [
        "1.9", f"{ROOT}.1.9.3", f"{ROOT}.1.9.4"
    ]  # fmt: skip
    assert not any("ReferencedSOPClassUID" in item for item in items)


def test_what_is_put_elsewhere_is_another_series_and_study(gateway_api, study):
    before = read(gateway_api, study[0])

    made = answered(
        gateway_api,
        f"/instances/{study[0]}/modify",
        {"Replace": {"PatientID": "X"}, "Keep": ["SeriesInstanceUID"], "Force": True},
    )

    assert made.PatientID == "X"
    assert made.StudyInstanceUID != before.StudyInstanceUID
    assert made.SeriesInstanceUID == before.SeriesInstanceUID


def test_a_sequence_is_replaced_by_items(gateway_api, study):
    made = answered(
        gateway_api,
        f"/instances/{study[0]}/modify",
        {"Replace": {"ReferencedStudySequence": [{"ReferencedSOPInstanceUID": "3.4"}, {}]}},
    )

    first, second = made.ReferencedStudySequence
    assert first.ReferencedSOPInstanceUID == "3.4"
    assert len(second) == 0


def test_an_anonymized_instance_tells_nothing_of_the_patient(gateway_api, study):
    made = answered(gateway_api, f"/instances/{study[0]}/anonymize", {})

    assert str(made.PatientName).startswith("Anonymized")
    assert made.PatientID not in ("", "P1")
    assert made.PatientIdentityRemoved == "YES"
    assert "PS 3.15-2021b Table E.1-1 Basic Profile" in made.DeidentificationMethod
    assert "StudyDescription" not in made
    assert (0x0011, 0x1001) not in made
    assert b"Dupont" not in made.to_json().encode()
    assert ROOT not in made.to_json()
    items = made.ReferencedImageSequence
    assert items[0].ReferencedSOPInstanceUID == made.SOPInstanceUID


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["modify", "anonymize"])
@pytest.mark.parametrize(
    ("field", "what"), [("Replace", "replaced"), ("Remove", "removed"), ("Keep", "kept")]
)
@pytest.mark.parametrize(
    "tag", ["PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
)
def test_identifiers_need_force(api, instance, operation, field, what, tag):
    value: Any = {tag: "1.2"} if field == "Replace" else [tag]

    assert refusal(api, f"/instances/{instance}/{operation}", {field: value}) == (
        400,
        8,
        f'Marking tag "{tag}" as to be {what} requires the "Force" option to be set to true',
    )


@pytest.mark.parametrize(
    ("level", "body", "details"),
    [
        ("series", {"Replace": {"PatientID": "X"}},
         "When modifying a series, the parent PatientID cannot be manually modified"),
        ("series", {"Replace": {"StudyInstanceUID": "1"}},
         "When modifying a series, the parent StudyInstanceUID cannot be manually modified"),
        ("study", {"Replace": {"PatientID": "X"}},
         "When modifying a study, the parent PatientID cannot be manually modified"),
        ("patient", {"Replace": {"PatientName": "X"}},
         "When modifying a patient, her PatientID is required to be modified"),
        ("patient", {"Replace": {"PatientID": "X"}, "Keep": ["PatientID"]},
         "When modifying a patient, her PatientID is required to be modified"),
    ],
)  # fmt: skip
def test_identifiers_change_on_their_level(api, instance, level, body, details):
    path = {"series": "series", "study": "studies", "patient": "patients"}[level]
    uri = f"/{path}/{parent(api, instance, level)}/modify"

    assert refusal(api, uri, {**body, "Force": True}) == (400, 8, details)


def nested_replacement(depth: int) -> Any:
    """Sequences in sequences, so deeply."""
    value: Any = "x"
    for _ in range(depth):
        value = [{"ReferencedStudySequence": value}]
    return {"Replace": {"ReferencedStudySequence": value}}


@pytest.mark.parametrize(
    ("body", "status", "number", "details"),
    [
        (nested_replacement(100), 400, 8, None),
        ({"Replace": {"PatientName": "\ud800"}}, 400, 15, None),
        ({"Replace": {"Modality": "é\ud800"}}, 400, 15, None),
        ({"Replace": {"SpecificCharacterSet": "é"}}, 400, 15, None),
        ({"Replace": {"00E1,1001": "7"}, "PrivateCreator": "\ud800"}, 400, 15, None),
        ({"Replace": []}, 400, 8, None),
        ({"Remove": {}}, 400, 8, None),
        ({"Remove": [3]}, 400, 8, None),
        ({"Keep": "PatientName"}, 400, 8, None),
        ({"Remove": ["PatientID"], "Force": True}, 400, 8, None),
        ({"Replace": {"Nope": "x"}}, 400, 27, None),
        ({"Replace": {"PatientName": 3}}, 400, 5, "Bad Parameter type for tag 0010,0010"),
        ({"Replace": {"PatientName": ["a"]}}, 400, 5, "Bad Parameter type for tag 0010,0010"),
        ({"Replace": {"ReferencedStudySequence": [3]}}, 400, 5, None),
        ({"Replace": {"Rows": "abc"}}, 400, 15,
         'While creating a DICOM instance, tag (0028,0010) has out-of-range value: "abc"'),
        ({"Replace": {"ReferencedStudySequence[x].PatientName": "a"}}, 400, 3,
         "Not a valid index in parent path: [x]"),
        ({"Force": "x"}, 400, 15, 'Member "Force" should be a Boolean value'),
        ({"RemovePrivateTags": 1}, 400, 15, 'Member "RemovePrivateTags" should be a Boolean value'),
        ({"Transcode": "nope"}, 400, 3, "Unknown transfer syntax: nope"),
        ({"Replace": {"SOPInstanceUID": ""}, "Force": True}, 400, 15, None),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(api, instance, body, status, number, details):
    found = refusal(api, f"/instances/{instance}/modify", body)

    assert found[:2] == (status, number)
    assert details is None or found[2] == details
    assert leftovers(api) == []


def test_unknown_resources_and_bodies_that_are_no_json_are_refused(api, instance):
    assert api.post("/instances/nope/modify", "{}").status_code == 404
    assert api.post("/studies/nope/modify", "{}").status_code == 404
    assert api.post(f"/studies/{instance}/modify", "{}").status_code == 404
    assert api.post(f"/instances/{instance}/modify", "xx").status_code == 400
    assert api.post(f"/instances/{instance}/modify", "[]").status_code == 400


def test_an_unknown_edition_of_the_standard_is_refused(api, instance):
    uri = f"/instances/{instance}/anonymize"

    assert refusal(api, uri, {"DicomVersion": "2023b"}) == (
        400, 3, "Unknown specific version of the DICOM standard: 2023b"
    )  # fmt: skip


# --- studies and their like ----------------------------------------------------------------------


def test_a_modified_study_is_kept_beside_its_source_and_says_where_it_came_from(gateway_api, study):
    study_id = parent(gateway_api, study[0], "study")

    made = gateway_api.post_json(
        f"/studies/{study_id}/modify", {"Replace": {"StudyDescription": "Ж"}}
    )

    assert made["Type"] == "Study"
    assert made["Path"] == f"/studies/{made['ID']}"
    assert made["PatientID"] == parent(gateway_api, study[0], "patient")
    assert (made["InstancesCount"], made["FailedInstancesCount"]) == (4, 0)
    assert (made["Description"], made["IsAnonymization"]) == ("REST API", False)
    results = instances_of(gateway_api, made["Path"])
    assert len(results) == 4
    assert len(gateway_api.get_json("/instances")) == 8
    metadata = gateway_api.get_json(f"/instances/{results[0]}/metadata?expand")
    assert metadata["ModifiedFrom"] in study
    assert metadata["Origin"] == "Lua"
    assert gateway_api.get(f"/studies/{made['ID']}/metadata/ModifiedFrom").get_data() == (
        study_id.encode()
    )
    assert gateway_api.stored_events == 8


def test_instances_of_a_modified_study_refer_to_each_other_as_before(gateway_api, study):
    study_id = parent(gateway_api, study[0], "study")

    made = gateway_api.post_json(f"/studies/{study_id}/modify", {})

    images = [read(gateway_api, each) for each in instances_of(gateway_api, made["Path"])]
    assert_related(images)
    assert {str(image.FrameOfReferenceUID) for image in images} == {f"{ROOT}.1.77"}


def test_instances_of_an_anonymized_study_refer_to_each_other_as_before(gateway_api, study):
    study_id = parent(gateway_api, study[0], "study")

    made = gateway_api.post_json(f"/studies/{study_id}/anonymize", {})

    images = [read(gateway_api, each) for each in instances_of(gateway_api, made["Path"])]
    assert_related(images)
    assert len({image.FrameOfReferenceUID for image in images}) == 1
    assert len({image.PatientID for image in images}) == 1
    assert not any(ROOT in image.to_json() for image in images)
    assert gateway_api.get(
        f"/patients/{made['PatientID']}/metadata/AnonymizedFrom"
    ).status_code == (200)


def assert_related(images: list[Dataset]) -> None:
    """The relations of related_images(), in other UIDs."""
    uids = {int(image.InstanceNumber): str(image.SOPInstanceUID) for image in images}
    assert len(set(uids.values())) == 4
    assert not any(uid.startswith(ROOT) for uid in uids.values())
    assert len({image.StudyInstanceUID for image in images}) == 1
    series = {int(image.InstanceNumber): str(image.SeriesInstanceUID) for image in images}
    assert series[1] == series[2] != series[3] == series[4]
    for image in images:
        referenced = [str(i.ReferencedSOPInstanceUID) for i in image.ReferencedImageSequence]
        assert referenced == [uids[number] for number in (1, 2, 3, 4)]


def test_uids_that_are_kept_are_referred_to_as_they_are(gateway_api, study):
    study_id = parent(gateway_api, study[0], "study")

    made = gateway_api.post_json(
        f"/studies/{study_id}/anonymize", {"Keep": ["SOPInstanceUID"], "Force": True}
    )

    for each in instances_of(gateway_api, made["Path"]):
        image = read(gateway_api, each)
        assert image.SOPInstanceUID.startswith(ROOT)
        assert image.ReferencedImageSequence[0].ReferencedSOPInstanceUID == f"{ROOT}.1.9.1"
        assert "DeidentificationMethod" not in image


def test_a_modified_patient_has_another_identifier(gateway_api, study):
    patient_id = parent(gateway_api, study[0], "patient")

    made = gateway_api.post_json(
        f"/patients/{patient_id}/modify", {"Replace": {"PatientID": "NEW"}, "Force": True}
    )

    assert made["Type"] == "Patient"
    assert gateway_api.get_json(made["Path"])["MainDicomTags"]["PatientID"] == "NEW"
    assert made["PatientID"] == made["ID"] != patient_id


def test_a_modified_series_stays_in_its_study(gateway_api, study):
    series_id = parent(gateway_api, study[0], "series")

    made = gateway_api.post_json(f"/series/{series_id}/modify", {})

    assert (made["Type"], made["InstancesCount"]) == ("Series", 2)
    result = instances_of(gateway_api, made["Path"])[0]
    assert parent(gateway_api, result, "study") == parent(gateway_api, study[0], "study")


def test_the_source_goes_when_it_is_not_to_be_kept(gateway_api, study):
    study_id = parent(gateway_api, study[0], "study")

    made = gateway_api.post_json(f"/studies/{study_id}/anonymize", {"KeepSource": False})

    assert gateway_api.get_json("/studies") == [made["ID"]]
    assert len(gateway_api.get_json("/instances")) == 4


def test_a_study_that_keeps_its_identifiers_replaces_itself(gateway_api, study):
    study_id = parent(gateway_api, study[0], "study")

    made = gateway_api.post_json(
        f"/studies/{study_id}/modify",
        {
            "Replace": {"PatientName": "Same"},
            "Keep": ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"],
            "Force": True,
            "KeepSource": False,
        },
    )

    assert made["ID"] == study_id
    assert sorted(gateway_api.get_json("/instances")) == sorted(study)
    assert read(gateway_api, study[0]).PatientName == "Same"


def test_instances_that_would_become_one_are_not_lost(gateway_api, study):
    study_id = parent(gateway_api, study[0], "study")
    body = {"Replace": {"SOPInstanceUID": "1.2.3"}, "Force": True, "KeepSource": False}

    status, number, _ = refusal(gateway_api, f"/studies/{study_id}/modify", body)

    assert (status, number) == (500, 2018)
    assert set(study) <= set(gateway_api.get_json("/instances"))


def test_a_permissive_job_goes_on_and_counts_what_failed(gateway_api, study):
    study_id = parent(gateway_api, study[0], "study")
    gateway_api.file_of(study[1]).write_bytes(b"damaged")

    strict = refusal(gateway_api, f"/studies/{study_id}/modify", {})
    made = gateway_api.post_json(
        f"/studies/{study_id}/modify", {"Permissive": True, "KeepSource": False}
    )

    assert strict[0] == 400
    assert (made["InstancesCount"], made["FailedInstancesCount"]) == (4, 1)
    assert set(study) <= set(gateway_api.get_json("/instances"))


def test_a_study_is_transcoded_and_says_so(gateway_api, study):
    study_id = parent(gateway_api, study[0], "study")

    made = gateway_api.post_json(
        f"/studies/{study_id}/modify", {"Transcode": "1.2.840.10008.1.2.4.80"}
    )

    assert made["Transcode"] == "1.2.840.10008.1.2.4.80"
    result = read(gateway_api, instances_of(gateway_api, made["Path"])[0])
    assert result.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.80"
    assert leftovers(gateway_api) == []


def test_a_job_is_answered_at_once_when_it_is_asynchronous(gateway_api, study):
    study_id = parent(gateway_api, study[0], "study")

    answer = gateway_api.post_json(f"/studies/{study_id}/modify", {"Asynchronous": True})

    job = gateway_api.get_json(answer["Path"])
    assert answer == {"ID": job["ID"], "Path": f"/jobs/{job['ID']}"}
    assert job["Type"] == "ResourceModification"


class Unattended:
    """A job that nobody interrupts or looks at."""

    def __init__(self, job_id: str = "job") -> None:
        self.job_id = job_id
        self.told: dict[str, Any] = {}

    def progress(self, done: int, of: int) -> None: ...

    def tell(self, **content: Any) -> None:
        self.told |= content

    def output(self, name: str, media_type: str) -> Path:
        raise AssertionError("nothing is written")


def asked(gateway_api, study, *, keep_source):
    """The request of a job that anonymizes the study."""
    return {
        "Anonymize": True,
        "Body": {},
        "InstancesCount": 4,
        "KeepSource": keep_source,
        "Level": "Study",
        "Origin": {"kind": "Lua", "remote_ip": "127.0.0.1"},
        "Permissive": False,
        "Resource": parent(gateway_api, study[0], "study"),
        "Salt": "5a17",
    }


def test_a_job_that_begins_anew_makes_the_same_instances_once(gateway_api, study):
    request = asked(gateway_api, study, keep_source=True)
    job = ModifyJob(gateway_api.services)
    job.work(Unattended(), request)
    once = gateway_api.get_json("/instances")

    job.work(Unattended(), request)

    assert sorted(gateway_api.get_json("/instances")) == sorted(once)
    assert len(once) == 8
    assert gateway_api.stored_events == 8


def test_a_job_whose_end_was_not_written_down_knows_that_its_sources_are_gone(gateway_api, study):
    store, job = gateway_api.services.store, ModifyJob(gateway_api.services)
    table = JobTable(store.engine, store.committer)
    submitted = new_job(
        JobKind("ResourceModification", job.work), asked(gateway_api, study, keep_source=False), 0
    )
    table.save(submitted.row).result()
    before = Unattended(submitted.job_id)
    job.work(before, submitted.row.request)
    made = gateway_api.get_json("/instances")
    assert not set(study) & set(made)

    (recalled,) = table.all()  # as if the gateway had been killed here
    after = Unattended(recalled.job_id)
    job.work(after, recalled.request)

    assert after.told == before.told
    assert sorted(gateway_api.get_json("/instances")) == sorted(made)
