"""The logs over REST."""

import pytest

from gateway.model import Level
from gateway.store.changes import log_export


@pytest.fixture
def instance_id(gateway_api, made_ct):
    return gateway_api.store(made_ct(1))


def test_a_change_tells_what_happened_to_what_and_when(gateway_api, instance_id):
    (first, *_) = gateway_api.get_json("/changes")["Changes"]
    assert len(first.pop("Date")) == len("20200101T120000")
    assert first == {
        "ChangeType": "NewInstance",
        "ID": instance_id,
        "Path": f"/instances/{instance_id}",
        "ResourceType": "Instance",
        "Seq": 1,
    }


def test_changes_are_paged(gateway_api, instance_id):
    page = gateway_api.get_json("/changes?since=1&limit=2")
    assert [each["Seq"] for each in page["Changes"]] == [2, 3]
    assert (page["Done"], page["Last"]) == (False, 3)
    assert gateway_api.get_json("/changes?since=3")["Done"] is True
    assert gateway_api.get_json("/changes?since=99") == {"Changes": [], "Done": True, "Last": 4}


def test_a_hundred_changes_are_a_page(gateway_api, made_ct):
    gateway_api.store_all(made_ct(number) for number in range(1, 100))
    page = gateway_api.get_json("/changes")
    assert (len(page["Changes"]), page["Done"]) == (100, False)


def test_the_newest_change_alone(gateway_api, instance_id):
    page = gateway_api.get_json("/changes?last")
    assert [each["ChangeType"] for each in page["Changes"]] == ["NewPatient"]
    assert (page["Done"], page["Last"]) == (True, 4)


@pytest.mark.parametrize("query", ["since=abc", "limit=x", "since=-5", "limit=-1", "since="])
def test_what_is_no_number_is_not_heeded(gateway_api, instance_id, query):
    assert len(gateway_api.get_json(f"/changes?{query}")["Changes"]) == 4


def test_a_number_beyond_all_is_no_fault(gateway_api, instance_id):
    assert gateway_api.get_json(f"/changes?since={10**30}")["Changes"] == []
    assert len(gateway_api.get_json(f"/changes?limit={10**30}")["Changes"]) == 4


def test_a_cleared_log_goes_on_with_its_numbers(gateway_api, instance_id, made_ct):
    response = gateway_api.delete("/changes")
    assert (response.status_code, response.get_data()) == (200, b"")
    assert gateway_api.get_json("/changes") == {"Changes": [], "Done": True, "Last": 4}
    gateway_api.store(made_ct(2))
    assert gateway_api.get_json("/changes?since=4")["Last"] == 5


def test_an_export_tells_what_was_sent_where(gateway_api, instance_id):
    assert gateway_api.get_json("/exports") == {"Exports": [], "Done": True, "Last": 0}
    (study_id,) = gateway_api.get_json("/studies")
    gateway_api.services.store.committer.commit(
        lambda connection: log_export(connection, Level.STUDY, study_id, "archive")
    )
    page = gateway_api.get_json("/exports")
    assert page == gateway_api.get_json("/exports?last")
    (export,) = page["Exports"]
    assert len(export.pop("Date")) == len("20200101T120000")
    assert export == {
        "ID": study_id,
        "Path": f"/studies/{study_id}",
        "PatientID": "SECRET-ID",
        "RemoteModality": "archive",
        "ResourceType": "Study",
        "Seq": 1,
        "StudyInstanceUID": "1.2.826.0.1.3680043.10.2",
    }
    assert gateway_api.delete("/exports").status_code == 200
    assert gateway_api.get_json("/exports")["Exports"] == []
