"""Patients, studies, series and instances: their JSON, the ways between them, and deletion."""

import pytest
from pydicom import Dataset
from sqlalchemy import select

from gateway.model import VersionState
from gateway.store import schema


@pytest.fixture
def ids(gateway_api, made_ct):
    """The ids of two studies with, together, three series and four instances; by their paths."""
    images = (
        made_ct(1, StudyDescription="first", StudyDate="20200102"),
        made_ct(2),
        made_ct(3, SeriesInstanceUID="1.2.3.1"),
        made_ct(4, StudyInstanceUID="1.2.3.2", SeriesInstanceUID="1.2.3.3"),
    )
    instances = gateway_api.store_all(images)
    return {
        level: instances if level == "instances" else gateway_api.get_json(f"/{level}")
        for level in ("patients", "studies", "series", "instances")
    }


def test_every_level_is_listed_in_the_order_of_arrival(gateway_api, ids):
    assert gateway_api.get_json("/instances") == ids["instances"]
    assert [len(ids[level]) for level in ("patients", "studies", "series")] == [1, 2, 3]


def test_a_page_of_a_list(gateway_api, ids):
    page = gateway_api.get_json("/instances?since=1&limit=2")
    assert page == ids["instances"][1:3]
    assert gateway_api.get_json("/instances?since=0&limit=0") == []


def test_half_of_a_page_is_a_bad_request(empty_api):
    assert empty_api.get("/studies?limit=2").json["OrthancStatus"] == 8
    assert empty_api.get("/studies?since=2").status_code == 400
    assert empty_api.get("/studies?since=x&limit=2").json["OrthancStatus"] == 5


def test_an_expanded_list_holds_what_each_resource_answers(gateway_api, ids):
    for level, of_level in ids.items():
        expanded = gateway_api.get_json(f"/{level}?expand")
        assert expanded == [gateway_api.get_json(f"/{level}/{each}") for each in of_level]


def test_a_patient(gateway_api, ids):
    patient = gateway_api.get_json(f"/patients/{ids['patients'][0]}")
    assert patient.pop("LastUpdate")
    assert patient == {
        "ID": ids["patients"][0],
        "IsStable": False,
        "MainDicomTags": {"PatientID": "SECRET-ID", "PatientName": "SECRET^NAME"},
        "Studies": ids["studies"],
        "Type": "Patient",
    }


def test_a_study_tells_of_its_patient(gateway_api, ids):
    study = gateway_api.get_json(f"/studies/{ids['studies'][0]}")
    assert study.pop("LastUpdate")
    assert study == {
        "ID": ids["studies"][0],
        "IsStable": False,
        "MainDicomTags": {
            "StudyDate": "20200102",
            "StudyDescription": "first",
            "StudyInstanceUID": "1.2.826.0.1.3680043.10.2",
        },
        "ParentPatient": ids["patients"][0],
        "PatientMainDicomTags": {"PatientID": "SECRET-ID", "PatientName": "SECRET^NAME"},
        "Series": ids["series"][:2],
        "Type": "Study",
    }


def test_a_series_tells_whether_it_is_complete(gateway_api, made_ct):
    image = made_ct(1)
    image.ImagesInAcquisition = 2
    image.NumberOfTemporalPositions = 1
    gateway_api.store(image)
    (series,) = gateway_api.get_json("/series?expand")
    assert (series["ExpectedNumberOfInstances"], series["Status"]) == (2, "Missing")
    gateway_api.store(made_ct(2))
    (series,) = gateway_api.get_json("/series?expand")
    assert series["Status"] == "Complete"


def test_an_instance(gateway_api, ids):
    instance_id = ids["instances"][0]
    instance = gateway_api.get_json(f"/instances/{instance_id}")
    assert len(instance.pop("FileUuid")) == 36
    assert instance == {
        "FileSize": gateway_api.file_of(instance_id).stat().st_size,
        "ID": instance_id,
        "IndexInSeries": 1,
        "MainDicomTags": {
            "InstanceNumber": "1",
            "SOPInstanceUID": "1.2.826.0.1.3680043.10.1.1",
        },
        "ParentSeries": ids["series"][0],
        "Type": "Instance",
    }


def test_the_uuid_of_a_file_stays_the_same(gateway_api, ids):
    path = f"/instances/{ids['instances'][0]}"
    assert gateway_api.get_json(path)["FileUuid"] == gateway_api.get_json(path)["FileUuid"]


def test_main_tags_in_other_forms(gateway_api, ids):
    path = f"/studies/{ids['studies'][0]}"
    assert gateway_api.get_json(path + "?short")["MainDicomTags"]["0008,1030"] == "first"
    full = gateway_api.get_json(path + "?full")
    assert full["MainDicomTags"]["0008,1030"] == {
        "Name": "StudyDescription", "Type": "String", "Value": "first",
    }  # fmt: skip
    assert "0010,0020" in full["PatientMainDicomTags"]


def test_the_ways_up(gateway_api, ids):
    instance = f"/instances/{ids['instances'][0]}"
    for level, word in (("series", "series"), ("studies", "study"), ("patients", "patient")):
        above = gateway_api.get_json(f"/{level}/{ids[level][0]}")
        assert gateway_api.get_json(f"{instance}/{word}") == above


def test_the_ways_down(gateway_api, ids):
    patient = f"/patients/{ids['patients'][0]}"
    for level in ("studies", "series", "instances"):
        below = gateway_api.get_json(f"{patient}/{level}")
        assert below == gateway_api.get_json(f"/{level}?expand")


def test_there_is_no_way_down_from_an_instance_nor_up_from_a_patient(gateway_api, ids):
    for path in (
        f"/patients/{ids['patients'][0]}/patient",
        f"/instances/{ids['instances'][0]}/instances",
    ):
        assert gateway_api.get(path).status_code == 404


def test_the_id_of_another_level_is_unknown(gateway_api, ids):
    for path in (f"/studies/{ids['patients'][0]}", "/studies/nobody"):
        for method in ("GET", "DELETE"):
            answer = gateway_api.call(method, path)
            assert (answer.status_code, answer.data) == (404, b"")


def test_what_is_below_an_unknown_id_is_an_unknown_resource(empty_api):
    for path in ("series", "patient", "module", "statistics", "shared-tags", "instances-tags"):
        answer = empty_api.get(f"/studies/nobody/{path}")
        assert (answer.status_code, answer.json["OrthancStatus"]) == (404, 17)
    assert empty_api.post("/studies/nobody/reconstruct").json["OrthancStatus"] == 17


def states(api) -> list[str]:
    with api.services.store.engine.connect() as connection:
        return list(connection.scalars(select(schema.version.c.state)))


def test_deleting_an_instance_names_what_remains_above_it(gateway_api, ids):
    answer = gateway_api.delete(f"/instances/{ids['instances'][0]}")
    assert answer.json == {
        "RemainingAncestor": {
            "ID": ids["series"][0], "Path": f"/series/{ids['series'][0]}", "Type": "Series",
        }
    }  # fmt: skip
    assert gateway_api.get_json("/instances") == ids["instances"][1:]
    assert states(gateway_api).count(VersionState.DELETED) == 1


def test_deleting_the_last_instance_of_a_study_leaves_its_patient(gateway_api, ids):
    answer = gateway_api.delete(f"/instances/{ids['instances'][3]}")
    assert answer.json["RemainingAncestor"]["Type"] == "Patient"
    assert gateway_api.get_json("/studies") == ids["studies"][:1]


def test_deleting_a_patient_leaves_nothing(gateway_api, ids):
    answer = gateway_api.delete(f"/patients/{ids['patients'][0]}")
    assert answer.json == {"RemainingAncestor": None}
    assert [gateway_api.get_json(f"/{level}") for level in ids] == [[], [], [], []]
    assert set(states(gateway_api)) == {VersionState.DELETED}


def test_what_was_deleted_can_be_stored_again(gateway_api, ids, made_ct):
    gateway_api.delete(f"/patients/{ids['patients'][0]}")
    again = gateway_api.store(made_ct(1))
    assert gateway_api.get_json("/instances") == [again]


def test_a_patient_is_protected_and_not_any_more(gateway_api, ids):
    path = f"/patients/{ids['patients'][0]}/protected"
    assert gateway_api.get(path).data == b"0"
    for body, shown in ((b"1", b"1"), (b"0", b"0"), (b"true ", b"1"), (b"false", b"0")):
        answer = gateway_api.put(path, body)
        assert (answer.status_code, answer.data) == (200, b"")
        assert gateway_api.get(path).data == shown


def test_protection_is_yes_or_no_and_of_patients_only(gateway_api, ids):
    path = f"/patients/{ids['patients'][0]}/protected"
    assert gateway_api.put(path, b"2").json["OrthancStatus"] == 15
    assert gateway_api.get("/patients/nobody/protected").json["OrthancStatus"] == 3
    assert gateway_api.put("/patients/nobody/protected", b"1").json["OrthancStatus"] == 3
    assert gateway_api.get(f"/studies/{ids['studies'][0]}/protected").status_code == 404


def test_tags_beyond_the_main_ones_are_found_above_by_counting_or_in_the_file(gateway_api, ids):
    wanted = "PatientID;0008,0060;NumberOfStudyRelatedInstances;ModalitiesInStudy;PatientComments"
    study = gateway_api.get_json(f"/studies/{ids['studies'][0]}?requestedTags={wanted}")
    assert study["RequestedTags"] == {
        "Modality": "CT",
        "ModalitiesInStudy": "CT",
        "NumberOfStudyRelatedInstances": "3",
        "PatientID": "SECRET-ID",
    }
    page = gateway_api.get_json("/instances?expand&requested-tags=Rows&since=0&limit=1&short")
    assert page[0]["RequestedTags"] == {"0028,0010": "4"}


def test_an_unknown_requested_tag_is_refused(gateway_api, ids):
    path = f"/studies/{ids['studies'][0]}?requestedTags=Nonsense"
    assert gateway_api.get(path).json["OrthancStatus"] == 27


# --- what files say together ---------------------------------------------------------------------


def test_the_module_of_each_level(gateway_api, ids):
    for level, keyword in (
        ("patients", "PatientID"),
        ("studies", "StudyInstanceUID"),
        ("series", "SeriesInstanceUID"),
        ("instances", "SOPInstanceUID"),
    ):
        module = gateway_api.get_json(f"/{level}/{ids[level][0]}/module?simplify")
        assert keyword in module
        assert "Rows" not in module
    of_patient = gateway_api.get_json(f"/studies/{ids['studies'][0]}/module-patient?short")
    assert of_patient == {"0010,0010": "SECRET^NAME", "0010,0020": "SECRET-ID"}


def test_the_tags_of_all_instances_by_their_ids(gateway_api, ids):
    path = f"/series/{ids['series'][0]}/instances-tags?simplify"
    tags = gateway_api.get_json(path)
    assert {each: tags[each]["InstanceNumber"] for each in tags} == dict(
        zip(ids["instances"][:2], ("1", "2"), strict=True)
    )


def test_shared_tags_are_those_that_are_the_same_everywhere(gateway_api, ids):
    shared = gateway_api.get_json(f"/series/{ids['series'][0]}/shared-tags?simplify")
    assert shared["Modality"] == "CT"
    assert "InstanceNumber" not in shared
    assert "StudyDescription" not in shared  # the second image has none
    full = gateway_api.get_json(f"/series/{ids['series'][0]}/shared-tags")
    assert full["0008,0060"]["Value"] == "CT"


def test_only_texts_are_shared(gateway_api, made_ct):
    code = Dataset()
    code.CodeValue = "T-D1100"
    gateway_api.store(made_ct(1, AnatomicRegionSequence=[code], ImageComments="x" * 300))
    (series,) = gateway_api.get_json("/series")
    shared = gateway_api.get_json(f"/series/{series}/shared-tags?simplify")
    assert shared["InstanceNumber"] == "1"
    assert not shared.keys() & {"AnatomicRegionSequence", "ImageComments", "PixelData"}


def test_main_tags_leave_out_what_is_long(gateway_api, made_ct):
    instance_id = gateway_api.store(made_ct(1, ImageComments="x" * 300))
    for form in ("", "?short", "?full"):
        instance = gateway_api.get_json(f"/instances/{instance_id}{form}")
        assert len(instance["MainDicomTags"]) == 2


def test_statistics_count_what_is_below(gateway_api, ids):
    patient = gateway_api.get_json(f"/patients/{ids['patients'][0]}/statistics")
    size = sum(gateway_api.file_of(each).stat().st_size for each in ids["instances"])
    assert patient == {
        "CountInstances": 4, "CountSeries": 3, "CountStudies": 2,
        "DicomDiskSize": str(size), "DicomDiskSizeMB": 0,
        "DicomUncompressedSize": str(size), "DicomUncompressedSizeMB": 0,
        "DiskSize": str(size), "DiskSizeMB": 0,
        "UncompressedSize": str(size), "UncompressedSizeMB": 0,
    }  # fmt: skip
    of_instance = gateway_api.get_json(f"/instances/{ids['instances'][0]}/statistics")
    assert not [key for key in of_instance if key.startswith("Count")]


@pytest.mark.parametrize("of", ["/patients/{}", "/tools"])
def test_reconstructing_reads_main_tags_anew_from_the_files(gateway_api, ids, of):
    store = gateway_api.services.store
    forget = schema.resource.update().values(main_tags={})
    store.committer.commit(lambda connection: connection.execute(forget))
    answer = gateway_api.post(of.format(ids["patients"][0]) + "/reconstruct", b"{}")
    assert (answer.status_code, answer.data) == (200, b"")
    study = gateway_api.get_json(f"/studies/{ids['studies'][0]}")
    assert study["MainDicomTags"]["StudyDescription"] == "first"
    assert gateway_api.get_json("/instances?expand")[3]["MainDicomTags"]["InstanceNumber"] == "4"
