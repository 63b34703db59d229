"""The limits of the store: who goes, who never does, and when nothing more is taken."""

from collections.abc import Callable

import pytest
from sqlalchemy import update
from store_support import store_ingest
from structlog.testing import capture_logs

from gateway.dicom.encoding import encode
from gateway.dicom.identifiers import resource_ids
from gateway.errors import StorageFull
from gateway.model import (
    Action,
    EventKind,
    Identifiers,
    Level,
    NewTask,
    Origin,
    OriginKind,
    Step,
)
from gateway.store import capacity as module
from gateway.store import notices, schema
from gateway.store.capacity import Capacity
from gateway.store.catalogue import Catalogue
from gateway.store.ingest import StoreIngest
from gateway.store.instances import find_current
from gateway.store.opened import Store
from gateway.store.plans import add_plan

ORIGIN = Origin(OriginKind.DICOM, "MODALITY", "GATEWAY", "10.0.0.7")


@pytest.fixture(autouse=True)
def count_always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every second."""
    monkeypatch.setattr(module, "_COUNT_EVERY_S", -1.0)


@pytest.fixture
def limits(store: Store) -> Callable[..., Capacity]:
    """`limits(patients=, bytes_=, recycles=)`."""

    def limits(patients: int = 0, bytes_: int = 0, recycles: bool = True) -> Capacity:
        return Capacity(
            store.engine,
            store.committer,
            maximum_bytes=bytes_,
            maximum_patients=patients,
            recycles=recycles,
        )

    return limits


@pytest.fixture
def arrives(store: Store, kept, later) -> Callable[..., str]:
    """`arrives("A")`: an image of that patient, a while after the one before."""
    number = 0

    def arrives(patient: str) -> str:
        nonlocal number
        number += 1
        later(10)
        uids = {
            "StudyInstanceUID": f"1.2.{ord(patient)}",
            "SeriesInstanceUID": f"1.2.{ord(patient)}.1",
        }
        return kept(number, PatientID=patient, **uids).instance_id

    return arrives


@pytest.fixture
def patients(store: Store) -> Callable[[], str]:
    """`patients()`: the PatientIDs that are there, in order."""
    catalogue = Catalogue(store.engine)

    def patients() -> str:
        found = (catalogue.get(each) for each in catalogue.ids(Level.PATIENT))
        return "".join(sorted(each.main_tags["PatientID"] for each in found if each))

    return patients


def lane(store: Store, *callbacks: str) -> str:
    store.outbox.open_lane("slow.lua")
    store.outbox.describe_lane("slow.lua", script_version="v", callbacks=callbacks, fault="")
    return "slow.lua"


def settle_all(store: Store) -> None:
    for event in store.outbox.pending("slow.lua", 100):
        store.outbox.settle("slow.lua", event.event_id, lambda find: [])


def test_without_limits_nobody_goes(limits, arrives, patients):
    for patient in "ABC":
        arrives(patient)
    assert limits().keep_to_limits() == 0
    assert patients() == "ABC"


def test_the_patient_for_whom_nothing_came_for_longest_goes_first(limits, arrives, patients):
    for patient in "ABCA":
        arrives(patient)
    assert limits(patients=2).keep_to_limits() == 1
    assert patients() == "AC"


def test_as_many_go_as_are_too_many(limits, arrives, patients):
    for patient in "ABCDE":
        arrives(patient)
    assert limits(patients=2).keep_to_limits() == 3
    assert patients() == "DE"


def test_as_much_goes_as_is_too_much(store, limits, arrives, patients):
    for patient in "ABC":
        arrives(patient)
    paths = map(store.files.path, store.files.keys())
    size_bytes = sum(path.stat().st_size for path in paths)
    assert limits(bytes_=size_bytes).keep_to_limits() == 0
    assert limits(bytes_=size_bytes - 1).keep_to_limits() == 1
    assert patients() == "BC"


def test_files_of_a_patient_that_went_are_removed(store, limits, arrives):
    arrives("A")
    kept_id = arrives("B")
    limits(patients=1).keep_to_limits()
    store.reclaimer.reclaim(100)
    with store.engine.connect() as connection:
        kept = find_current(connection, kept_id)
    assert kept is not None
    assert list(store.files.keys()) == [kept.storage_key]


def test_a_protected_patient_stays(store, limits, arrives, patients):
    for patient in "ABC":
        arrives(patient)
    protect(store, "A")
    assert limits(patients=2).keep_to_limits() == 1
    assert patients() == "AC"


def protect(store: Store, *patients: str) -> None:
    tags = schema.resource.c.main_tags["PatientID"].as_string()
    with store.engine.begin() as connection:
        for patient in patients:
            connection.execute(
                update(schema.resource)
                .where(schema.resource.c.level == Level.PATIENT, tags == patient)
                .values(is_protected=True)
            )


class TestWhoIsWaitedFor:
    def test_a_patient_whose_image_a_script_has_not_seen_stays(
        self, store, limits, arrives, patients
    ):
        lane(store, "OnStoredInstance")
        for patient in "ABC":
            arrives(patient)
        holding = limits(patients=2)
        assert holding.keep_to_limits() == 0
        holding.check()  # it is over its limits, and takes what comes all the same
        settle_all(store)
        assert holding.keep_to_limits() == 1
        assert patients() == "BC"

    def test_the_next_one_goes_instead(self, store, limits, arrives, patients):
        first = arrives("A")
        with store.engine.connect() as connection:
            version = find_current(connection, first)
        plan_for(store, version)
        for patient in "BC":
            arrives(patient)
        assert limits(patients=2).keep_to_limits() == 1
        assert patients() == "AC"

    def test_a_patient_of_whose_study_a_script_has_not_heard_stays(
        self, store, limits, arrives, patients
    ):
        lane(store, "OnStableStudy")
        arrives("A")
        catalogue = Catalogue(store.engine)
        (study_id,) = catalogue.ids(Level.STUDY)
        store.committer.commit(
            lambda c: notices.add_notice(c, EventKind.STABLE_STUDY, study_id, 0.0)
        )
        for patient in "BC":
            arrives(patient)
        (told,) = (e for e in store.outbox.pending("slow.lua", 9) if e.kind == "OnStableStudy")
        for event in store.outbox.pending("slow.lua", 9):
            if event.event_id != told.event_id:
                store.outbox.settle("slow.lua", event.event_id, lambda find: [])
        assert limits(patients=2).keep_to_limits() == 1
        assert patients() == "AC"

    def test_the_patient_for_whom_something_came_last_stays(self, limits, arrives, patients):
        arrives("A")
        limits(bytes_=1).keep_to_limits()
        assert patients() == "A"


def plan_for(store: Store, version) -> None:
    step = Step(1, Action.DELETE, version.instance_id)
    task = NewTask(step, version.instance_id, version.version_id, ())
    store.committer.commit(lambda c: add_plan(c, "slow.lua", 1, [task]))


class TestWhenNobodyCanGo:
    def test_nothing_more_is_taken_and_that_is_said_once(self, limits, arrives):
        arrives("A")
        full = limits(bytes_=1)
        with capture_logs() as logs:
            full.keep_to_limits()
            full.keep_to_limits()
        assert [line["event"] for line in logs] == ["the store is full: nothing is taken any more"]
        with pytest.raises(StorageFull):
            full.check()

    def test_it_is_taken_again_when_somebody_made_room(self, store, limits, arrives):
        arrives("A")
        arrives("B")
        protect(store, "A", "B")
        full = limits(patients=1)
        full.keep_to_limits()
        with store.engine.begin() as connection:
            connection.execute(update(schema.resource).values(is_protected=False))
        assert full.keep_to_limits() == 1
        full.check()

    def test_an_ingest_refuses_then(self, store, limits, arrives):
        arrives("A")
        full = limits(bytes_=1)
        full.keep_to_limits()
        with pytest.raises(StorageFull, match="maximum_size_mb"):
            begin(taking(store, full), "1.2")


class TestReject:
    def test_nobody_goes(self, limits, arrives, patients):
        for patient in "ABC":
            arrives(patient)
        assert limits(patients=2, recycles=False).keep_to_limits() == 0
        assert patients() == "ABC"

    def test_one_patient_too_many_is_refused_and_the_others_are_not(self, store, limits, made_ct):
        ingest = taking(store, limits(patients=1, recycles=False))
        keep(ingest, made_ct(1, PatientID="A"))
        keep(ingest, made_ct(2, PatientID="A"))
        with pytest.raises(StorageFull, match="maximum_patients is 1"):
            keep(ingest, made_ct(3, PatientID="B"))

    def test_what_is_too_much_is_refused(self, limits, arrives):
        arrives("A")
        full = limits(bytes_=1, recycles=False)
        full.keep_to_limits()
        with pytest.raises(StorageFull):
            full.check()


def taking(store: Store, capacity: Capacity) -> StoreIngest:
    return store_ingest(store, capacity=capacity)


def begin(ingest: StoreIngest, uid: str):
    return ingest.begin(
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        sop_instance_uid=uid,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        origin=ORIGIN,
    )


def keep(ingest: StoreIngest, image) -> None:
    with begin(ingest, image.SOPInstanceUID) as arrival:
        arrival.write(encode(image, implicit_vr=False))
        arrival.keep()


def test_the_ids_that_are_asked_for_are_of_the_patient(store, kept):
    """What admit() takes for the patient's id is what the index has."""
    version = kept(1)
    with store.engine.connect() as connection:
        row = connection.execute(
            schema.instance.select().where(schema.instance.c.instance_id == version.instance_id)
        ).one()
    identifiers = Identifiers(**row._mapping)
    assert Catalogue(store.engine).get(resource_ids(identifiers)[Level.PATIENT]) is not None
