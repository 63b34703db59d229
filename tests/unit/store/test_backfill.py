"""An index from before there were resources shows its patients, studies and series all the same."""

import pytest
from sqlalchemy import delete, select
from structlog.testing import capture_logs

from gateway.model import Level, VersionState
from gateway.store import backfill as module
from gateway.store import schema
from gateway.store.backfill import backfill
from gateway.store.catalogue import Catalogue


@pytest.fixture
def catalogue(store):
    return Catalogue(store.engine)


def forget_resources(store):
    """Make it an index of an older version."""

    def clear(connection):
        for table in (schema.identifier, schema.change, schema.resource):
            connection.execute(delete(table))

    store.committer.commit(clear)


def run(store):
    return backfill(store.engine, store.committer, store.files)


def test_what_an_older_index_holds_is_there_with_its_tags(store, receive, made_ct, catalogue):
    ids = [receive(made_ct(number, PatientName="Doe^Jane")) for number in (1, 2, 3)]
    expected = [catalogue.get(each) for each in ids]
    patients = catalogue.ids(Level.PATIENT)
    forget_resources(store)
    assert run(store) == 3
    found = [catalogue.get(each) for each in ids]
    assert [(each.parent_id, each.main_tags) for each in found] == [
        (each.parent_id, each.main_tags) for each in expected
    ]
    assert catalogue.ids(Level.PATIENT) == patients
    assert catalogue.get(patients[0]).main_tags["PatientName"] == "Doe^Jane"
    assert [each.main_tags["PatientName"] for each in catalogue.lookup("PatientName", "doe^jane")]


def test_what_has_its_resource_is_left_alone(store, receive, made_ct):
    receive(made_ct(1))
    assert run(store) == 0
    with store.engine.connect() as connection:
        assert len(connection.execute(select(schema.change)).all()) == 4


def test_a_lost_file_leaves_the_identifiers_and_is_logged(store, receive, made_ct, catalogue):
    image = made_ct(1)
    instance_id = receive(image)
    store.files.path(catalogue.version(instance_id).storage_key).unlink()
    forget_resources(store)
    with capture_logs() as lines:
        assert run(store) == 1
    assert catalogue.get(instance_id).main_tags == {"SOPInstanceUID": image.SOPInstanceUID}
    assert [line["log_level"] for line in lines] == ["info", "error"]


def test_what_was_deleted_does_not_come_back(store, receive, made_ct, catalogue):
    instance_id = receive(made_ct(1))
    version = schema.version
    store.committer.commit(
        lambda connection: connection.execute(version.update().values(state=VersionState.DELETED))
    )
    forget_resources(store)
    assert run(store) == 0
    assert catalogue.get(instance_id) is None


def test_a_large_index_is_entered_in_several_transactions(store, receive, made_ct, monkeypatch):
    monkeypatch.setattr(module, "_BATCH", 2)
    for number in range(5):
        receive(made_ct(number))
    forget_resources(store)
    assert (run(store), run(store)) == (5, 0)
