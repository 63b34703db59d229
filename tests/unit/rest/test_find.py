"""Finding resources over REST, looking up identifiers, and deleting what was found."""

import json
from functools import partial

import pytest
from images import made_ct
from pydicom import Dataset
from pydicom.sequence import Sequence
from rest_support import GatewayApi, unchanged


def image(number: int, patient: str, study: int, series: int, **attributes: object) -> Dataset:
    return made_ct(
        number,
        PatientID=patient,
        StudyInstanceUID=f"1.2.3.2.{study}",
        SeriesInstanceUID=f"1.2.3.3.{series}",
        **attributes,
    )


def images() -> list[Dataset]:
    code = Dataset()
    code.CodeValue = "ABC"
    return [
        image(1, "P1", 1, 1, PatientName="Doe^John", StudyDate="20200101", SliceThickness="1.5",
              AccessionNumber="ACC1", ProcedureCodeSequence=Sequence([code])),
        image(2, "P1", 1, 1, PatientName="Doe^John"),
        image(3, "P1", 1, 2, PatientName="Doe^John", Modality="MR"),
        image(4, "P1", 2, 3, PatientName="Doe^John", StudyDate="20210615", Modality="MR"),
        image(5, "p2", 3, 4, PatientName="SMITH^Änne", SpecificCharacterSet="ISO_IR 100",
              StudyDate="20220101", AccessionNumber="acc1"),
        image(6, "P3", 4, 5, PatientName="", StudyDate="", Modality="US"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def _one_api(tmp_path_factory, lazy_codecs):
    api = GatewayApi(tmp_path_factory.mktemp("find"), lazy_codecs)
    api.store_all(images())
    yield api
    api.close()


@pytest.fixture
def api(_one_api):
    """The images, for tests that change nothing."""
    with unchanged(_one_api) as api:
        yield api


@pytest.fixture
def own_api(gateway_api):
    """The images, for one test."""
    gateway_api.store_all(images())
    return gateway_api


def numbers(api, level: str, query: dict, **options: object) -> list[str]:
    """What is found: the last number of each UID, or the PatientID."""
    body = {"Level": level, "Query": query, "Expand": True, **options}
    tags = [each["MainDicomTags"] for each in api.post_json("/tools/find", body)]
    name = {"Patient": "PatientID", "Study": "StudyInstanceUID", "Series": "SeriesInstanceUID",
            "Instance": "SOPInstanceUID"}[level]  # fmt: skip
    return sorted(each[name].rpartition(".")[2] for each in tags)


@pytest.fixture
def found(api):
    """`found(level, query, ...)`: their numbers."""
    return partial(numbers, api)


def refused(api, body) -> tuple[int, int]:
    response = api.post("/tools/find", json.dumps(body))
    return response.status_code, response.get_json(force=True)["OrthancStatus"]


@pytest.mark.parametrize(
    ("level", "query", "expected"),
    [
        ("Patient", {}, ["P1", "P3", "p2"]),
        ("Patient", {"PatientID": "p1"}, ["P1"]),
        ("Patient", {"0010,0020": "P1"}, ["P1"]),
        ("Patient", {"0010-0020": "P1"}, ["P1"]),
        ("Patient", {"00100020": "P1"}, ["P1"]),
        ("Patient", {"PatientName": "*john"}, ["P1"]),
        ("Patient", {"PatientName": "smith^ä*"}, ["p2"]),
        ("Patient", {"PatientName": "smith^?nne"}, ["p2"]),
        ("Patient", {"PatientName": "Doe"}, []),
        ("Patient", {"PatientID": "P1\\P2"}, ["P1", "p2"]),
        ("Patient", {"PatientID": "P_"}, []),
        ("Patient", {"PatientID": "%"}, []),
        ("Patient", {"PatientName": ""}, ["P1", "P3", "p2"]),
        ("Patient", {"StudyDate": "20210615"}, []),
        ("Study", {"StudyDate": "20200101-20201231"}, ["1"]),
        ("Study", {"StudyDate": "20210101-"}, ["2", "3"]),
        ("Study", {"StudyDate": "-"}, ["1", "2", "3", "4"]),
        ("Study", {"AccessionNumber": "acc1"}, ["1", "3"]),
        ("Study", {"PatientID": "P1", "StudyDate": "20210101-"}, ["2"]),
        ("Study", {"PatientName": "doe*", "AccessionNumber": "ACC1"}, ["1"]),
        ("Study", {"StudyInstanceUID": "1.2.3.2.1\\1.2.3.2.4"}, ["1", "4"]),
        ("Study", {"ModalitiesInStudy": "mr"}, ["1", "2"]),
        ("Study", {"ModalitiesInStudy": "MR\\US"}, ["1", "2", "4"]),
        ("Study", {"ModalitiesInStudy": "M*", "PatientID": "P1"}, ["1", "2"]),
        ("Study", {"Modality": "CT"}, []),
        ("Study", {"SliceThickness": "1.5"}, ["1"]),
        ("Study", {"ProcedureCodeSequence": ""}, ["1", "2", "3", "4"]),
        ("Study", {"0009,1001": "x"}, []),
        ("Series", {"Modality": "MR"}, ["2", "3"]),
        ("Series", {"Modality": "M?", "PatientID": "P1", "StudyInstanceUID": "1.2.3.2.1"}, ["2"]),
        ("Series", {"ModalitiesInStudy": "MR"}, []),
        ("Instance", {"PatientID": "P1"}, ["1", "2", "3", "4"]),
        ("Instance", {"Modality": "US"}, ["6"]),
        ("Instance", {"Rows": "4", "PatientID": "P1"}, ["1", "2", "3", "4"]),
        ("Instance", {"InstanceNumber": "3"}, ["3"]),
        ("Instance", {"SOPInstanceUID": "1.2.826.0.1.3680043.10.1.5"}, ["5"]),
        ("Instance", {"ProcedureCodeSequence": "ABC"}, []),
    ],
)  # fmt: skip
def test_what_is_found(found, level, query, expected):
    assert found(level, query) == expected


def test_case_decides_when_it_is_asked_for(found):
    assert found("Study", {"AccessionNumber": "acc1"}, CaseSensitive=True) == ["3"]
    assert found("Patient", {"PatientName": "doe*"}, CaseSensitive=True) == []
    assert found("Patient", {"PatientName": "Doe*"}, CaseSensitive=True) == ["P1"]


def test_one_condition_may_be_written_twice(found):
    assert found("Study", {"0010,0020": "P1", "PatientID": "p2"}) == []


@pytest.mark.parametrize("level", ["study", "STUDY", "Studies", "studies"])
def test_levels_are_known_by_several_names(api, level):
    assert len(api.post_json("/tools/find", {"Level": level, "Query": {}})) == 4


def test_pages_follow_each_other(api):
    def page(**options: int) -> list[str]:
        return api.post_json("/tools/find", {"Level": "Instance", "Query": {}, **options})

    everything = page()
    assert len(everything) == 6
    assert page(Limit=2) + page(Since=2, Limit=3) + page(Since=5) == everything
    assert page(Since=100) == []
    assert page(Limit=0) == everything


def test_instances_come_in_the_order_of_their_arrival(api):
    ids = api.post_json("/tools/find", {"Level": "Instance", "Query": {}})
    assert ids == api.get_json("/instances")


def test_found_resources_are_shown_as_when_asked_for_one_by_one(api):
    for form in ("", "Full", "Short"):
        body = {"Level": "Study", "Query": {"PatientID": "p2"}, "Expand": True}
        (shown,) = api.post_json("/tools/find", body | ({form: True} if form else {}))
        assert shown == api.get_json(f"/studies/{shown['ID']}?{form.lower()}")


def test_requested_tags_are_told_with_what_is_expanded(api):
    (shown,) = api.post_json(
        "/tools/find",
        {
            "Level": "Study",
            "Query": {"AccessionNumber": "ACC1"},
            "CaseSensitive": True,
            "Expand": True,
            "RequestedTags": ["PatientName", "0018,0050", "ModalitiesInStudy"],
        },
    )
    assert shown["RequestedTags"] == {
        "PatientName": "Doe^John", "SliceThickness": "1.5", "ModalitiesInStudy": "CT\\MR",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [("All", ["1"]), ("Any", ["1", "2", "3"]), ("None", ["4"]), (None, ["1"])],
)
def test_labels_narrow_down(own_api, constraint, expected):
    studies = {
        each["MainDicomTags"]["StudyInstanceUID"][-1]: each["ID"]
        for each in own_api.get_json("/studies?expand")
    }
    for number, label in (("1", "a"), ("1", "b"), ("2", "a"), ("3", "b")):
        own_api.put(f"/studies/{studies[number]}/labels/{label}")
    options = {"LabelsConstraint": constraint} if constraint else {}
    assert numbers(own_api, "Study", {}, Labels=["a", "b"], **options) == expected


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, 8),
        ([], 8),
        ("x", 8),
        ({"Level": "Study"}, 8),
        ({"Query": {}}, 8),
        ({"Level": 1, "Query": {}}, 8),
        ({"Level": "x", "Query": {}}, 3),
        ({"Level": "Study", "Query": []}, 8),
        ({"Level": "Study", "Query": {"PatientID": 5}}, 8),
        ({"Level": "Study", "Query": {"PatientID": None}}, 8),
        ({"Level": "Study", "Query": {"ProcedureCodeSequence": [{"CodeValue": "A"}]}}, 8),
        ({"Level": "Study", "Query": {"nonsense": "x"}}, 27),
        ({"Level": "Study", "Query": {"StudyDate": "2020*"}}, 3),
        ({"Level": "Study", "Query": {}, "Limit": -1}, 3),
        ({"Level": "Study", "Query": {}, "Limit": 10**30}, 3),
        ({"Level": "Study", "Query": {}, "Limit": "2"}, 8),
        ({"Level": "Study", "Query": {}, "Since": 2.5}, 8),
        ({"Level": "Study", "Query": {}, "Since": True}, 8),
        ({"Level": "Study", "Query": {}, "Expand": "x"}, 8),
        ({"Level": "Study", "Query": {}, "CaseSensitive": "x"}, 8),
        ({"Level": "Study", "Query": {}, "RequestedTags": 5}, 15),
        ({"Level": "Study", "Query": {}, "RequestedTags": ["nonsense"]}, 27),
        ({"Level": "Study", "Query": {}, "Labels": "a"}, 15),
        ({"Level": "Study", "Query": {}, "Labels": ["not a label"]}, 3),
        ({"Level": "Study", "Query": {}, "Labels": ["a"], "LabelsConstraint": "Most"}, 3),
        ({"Level": "Study", "Query": {}, "Labels": ["a"], "LabelsConstraint": []}, 3),
    ],
)
def test_bad_requests_are_refused_with_their_fault(empty_api, body, fault):
    assert refused(empty_api, body) == (400, fault)


def test_a_body_that_is_no_json_is_refused(empty_api):
    for body in (b"not json", b"", b"\xff\xfe", b"[" * 100_000):
        assert empty_api.post("/tools/find", body).status_code == 400


def test_a_damaged_file_is_not_found_by_its_tags_and_does_not_prevent_finding_others(own_api):
    (damaged,) = own_api.post_json(
        "/tools/find", {"Level": "Instance", "Query": {"InstanceNumber": "1"}}
    )
    own_api.file_of(damaged).write_bytes(b"not DICOM any more")
    assert numbers(own_api, "Instance", {"Rows": "4", "PatientID": "P1"}) == ["2", "3", "4"]


def test_files_are_opened_only_for_tags_that_the_index_has_not(api, found, monkeypatch):
    monkeypatch.setattr("gateway.store.search.file_view", None)
    assert found("Series", {"Modality": "MR", "PatientName": "d*", "StudyDate": "2020-2022"}) == [
        "2", "3"
    ]  # fmt: skip


def test_what_is_found_can_be_counted(api):
    body = {"Level": "Series", "Query": {"PatientID": "P1"}}
    assert api.post_json("/tools/count-resources", body) == {"Count": 3}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("P1", ["Patient"]),
        (" p1 ", ["Patient"]),
        ("1.2.3.2.1", ["Study"]),
        ("1.2.3.3.1", ["Series"]),
        ("1.2.826.0.1.3680043.10.1.1", ["Instance"]),
        ("ACC1", []),
        ("Doe^John", []),
        ("", []),
    ],
)
def test_an_identifier_is_looked_up_on_every_level(api, value, kind):
    found = api.post_json("/tools/lookup", value.encode())
    assert [each["Type"] for each in found] == kind
    for each in found:
        assert api.get_json(each["Path"])["ID"] == each["ID"]


def test_wildcards_are_not_looked_up(api):
    assert api.post("/tools/lookup", "P*").status_code == 400


def test_many_resources_of_any_level_are_deleted(own_api):
    (patient,) = own_api.post_json(
        "/tools/find", {"Level": "Patient", "Query": {"PatientID": "p2"}}
    )
    series = own_api.post_json("/tools/find", {"Level": "Series", "Query": {"Modality": "MR"}})
    within = own_api.get_json(f"/patients/{patient}/instances")[0]["ID"]
    body = {"Resources": [patient, within, *series, "nobody"]}
    response = own_api.post("/tools/bulk-delete", json.dumps(body))
    assert (response.status_code, response.get_data()) == (200, b"")
    assert len(own_api.get_json("/instances")) == 3
    assert len(own_api.get_json("/studies")) == 2


@pytest.mark.parametrize(
    ("body", "fault"),
    [([], 8), ("x", 8), ({}, 15), ({"Resources": "x"}, 15), ({"Resources": [1]}, 15)],
)
def test_a_wrong_list_deletes_nothing(api, body, fault):
    response = api.post("/tools/bulk-delete", json.dumps(body))
    assert (response.status_code, response.get_json(force=True)["OrthancStatus"]) == (400, fault)
    assert len(api.get_json("/instances")) == 6
