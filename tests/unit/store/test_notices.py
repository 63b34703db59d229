"""Events about more than files: who is told, what they say, when they are forgotten."""

import pytest

from gateway.model import EventKind, Level
from gateway.store.catalogue import Catalogue
from gateway.store.file_tags import FileTags
from gateway.store.instances import mark_deleted
from gateway.store.jobs import JobTable
from gateway.store.removal import delete_resource
from gateway.store.resource_metadata import UserMetadata
from gateway.store.stability import Stability


@pytest.fixture
def lane(store):
    """`lane(name, *callbacks)`: a script that defines these; answers how to ask what it hears."""

    def opened(name: str, *callbacks: str):
        store.outbox.open_lane(name)
        store.outbox.describe_lane(name, script_version="v", callbacks=callbacks, fault="")

        def told() -> list[tuple[str, str]]:
            return [(e.kind.value, e.subject) for e in store.outbox.pending(name, 100)]

        return told

    return opened


def one(store, level: Level) -> str:
    (found,) = Catalogue(store.engine).ids(level)
    return found


def test_what_became_stable_is_told_from_the_series_to_the_patient(store, kept, lane, later):
    told = lane("a.lua", "OnStableStudy", "OnStableSeries", "OnStablePatient")
    kept(1)
    later(61)
    Stability(store.engine, store.committer, 60).settle(100)
    assert told()[1:] == [
        ("OnStableSeries", one(store, Level.SERIES)),
        ("OnStableStudy", one(store, Level.STUDY)),
        ("OnStablePatient", one(store, Level.PATIENT)),
    ]


def test_what_is_gone_is_told_with_all_that_is_empty_without_it(store, kept, lane):
    told = lane("a.lua", "OnDeletedInstance", "OnDeletedSeries", "OnDeletedStudy",
                "OnDeletedPatient")  # fmt: skip
    kept(1)
    ids = [one(store, level) for level in reversed(Level)]
    version = Catalogue(store.engine).version(ids[0])
    store.committer.commit(lambda connection: mark_deleted(connection, version.version_id))
    assert told()[1:] == [
        ("OnDeletedInstance", ids[0]), ("OnDeletedSeries", ids[1]), ("OnDeletedStudy", ids[2]),
        ("OnDeletedPatient", ids[3]),
    ]  # fmt: skip


def test_a_study_that_is_deleted_tells_of_each_of_its_instances(store, kept, lane):
    told = lane("a.lua", "OnDeletedInstance")
    kept(1)
    kept(2)
    study = one(store, Level.STUDY)
    store.committer.commit(lambda connection: delete_resource(connection, study))
    assert [kind for kind, _ in told()].count("OnDeletedInstance") == 2


def test_metadata_that_somebody_writes_is_told(store, kept, lane):
    told = lane("a.lua", "OnUpdatedStudy")
    kept(1)
    study = one(store, Level.STUDY)
    UserMetadata(store.engine, store.committer).put(study, "1024", "x", lambda known: None)
    assert told()[1:] == [("OnUpdatedStudy", study)]


def test_nothing_is_entered_that_no_script_asks_for(store, kept, lane):
    told = lane("a.lua", "OnStoredInstance")
    kept(1)
    study = one(store, Level.STUDY)
    UserMetadata(store.engine, store.committer).put(study, "1024", "x", lambda known: None)
    store.committer.commit(lambda connection: delete_resource(connection, study))
    assert [kind for kind, _ in told()] == ["OnStoredInstance"]


def test_a_script_that_has_not_been_loaded_yet_misses_nothing(store, kept):
    store.outbox.open_lane("new.lua")
    kept(1)
    study = one(store, Level.STUDY)
    store.committer.commit(lambda connection: delete_resource(connection, study))
    kinds = [event.kind for event in store.outbox.pending("new.lua", 100)]
    assert kinds.count(EventKind.DELETED_STUDY) == 1


def test_a_job_that_is_not_kept_is_told_all_the_same(store, lane):
    told = lane("a.lua", "OnJobFailure")
    JobTable(store.engine, store.committer).tell(EventKind.JOB_FAILURE, "job").result()
    assert told() == [("OnJobFailure", "job")]


def test_an_event_is_forgotten_when_every_lane_is_done_with_it(store, lane):
    told = {name: lane(name, "OnJobSuccess") for name in ("a.lua", "b.lua")}
    JobTable(store.engine, store.committer).tell(EventKind.JOB_SUCCESS, "job").result()
    (event,) = store.outbox.pending("a.lua", 100)

    store.outbox.settle("a.lua", event.event_id, lambda find: [])
    assert store.outbox.forget_notices() == 0
    assert told["b.lua"]() == [("OnJobSuccess", "job")]

    store.outbox.settle("b.lua", event.event_id, lambda find: [])
    assert store.outbox.forget_notices() == 1
    assert store.outbox.forget_notices() == 0


def test_what_is_told_of_a_study_has_its_patient_s_tags_and_where_it_came_from(store, kept):
    kept(1)
    facts = FileTags(store.files, store.engine).of_resource(one(store, Level.STUDY))
    assert {"PatientID", "StudyInstanceUID"} <= facts.tags.keys()
    assert "SeriesInstanceUID" not in facts.tags
    assert facts.metadata.keys() >= {"LastUpdate"}
    assert facts.origin.calling_aet == "MODALITY"


def test_nothing_is_told_of_a_study_that_is_gone(store):
    assert FileTags(store.files, store.engine).of_resource("no-such-study") is None
