"""What is made of files and rows after a crash: nothing that was acknowledged is ever removed.

A crash between two steps is made by hand: the steps before it are done, those after it are not.
"""

from pathlib import Path

import pytest
from pydicom import dcmread
from sqlalchemy import delete, select, update
from store_support import Instances
from structlog.testing import capture_logs

from gateway.dicom import part10
from gateway.dicom.syntaxes import EXPLICIT_LE
from gateway.model import Action, Version, VersionState
from gateway.store import schema
from gateway.store.files import DERIVED, RECEIVED, StagedFile, sync_file
from gateway.store.instances import (
    NewVersion,
    add_derived,
    delete_versions,
    mark_deleted,
)
from gateway.store.opened import Store
from gateway.store.plans import add_plan
from gateway.store.recovery import Recovered, Recovery

NOTHING = Recovered(
    staged_removed=0, derived_removed=0, adopted=0, unreadable=0, rows_forgotten=0, rows_damaged=0
)


@pytest.fixture(autouse=True)
def lane(store: Store) -> None:
    store.outbox.open_lane("a")


def recover(store: Store, duplicates: str = "overwrite") -> dict[str, int]:
    """What recovery found: the counts that are not zero."""
    found = Recovery(store.engine, store.committer, store.files, duplicates).run()
    return {name: count for name in Recovered.__slots__ if (count := getattr(found, name))}


def write(store: Store, kind: str, content: bytes, made_from: str = "") -> StagedFile:
    staged = store.files.stage(kind, made_from=made_from)
    with staged.create() as out:
        out.write(content)
        sync_file(out)
    return staged


def file_of(image, data: bytes) -> bytes:
    uids = (str(image.SOPClassUID), str(image.SOPInstanceUID), EXPLICIT_LE.uid)
    return part10.header(*uids, calling_aet="MODALITY", called_aet="GATEWAY") + data


@pytest.fixture
def orphan(store, data_set_bytes):
    """Publish the file of an image without its row; answers its key."""

    def publish(image, kind: str = RECEIVED, made_from: str = "") -> str:
        staged = write(store, kind, file_of(image, data_set_bytes(image)), made_from)
        store.files.publish([staged])
        return staged.key

    return publish


def waiting(store: Store) -> list[int]:
    return [event.version.version_id for event in store.outbox.pending("a", 100)]


def states(store: Store) -> list[str]:
    with store.engine.connect() as connection:
        return list(
            connection.scalars(select(schema.version.c.state).order_by(schema.version.c.version_id))
        )


def every_file_has_a_row(store: Store) -> bool:
    with store.engine.connect() as connection:
        rows = set(connection.scalars(select(schema.version.c.storage_key)))
    return rows == set(store.files.keys())


def set_state(store: Store, version: Version, state: VersionState) -> None:
    store.committer.commit(
        lambda connection: connection.execute(
            update(schema.version)
            .where(schema.version.c.version_id == version.version_id)
            .values(state=state)
        )
    )


def replace(store: Store, version: Version, image, data: bytes) -> Version:
    """What a transcoding does that takes the place of its source."""
    staged = write(store, DERIVED, file_of(image, data))
    new = NewVersion(staged.key, EXPLICIT_LE.uid, 10)
    made = store.committer.commit(
        lambda c: add_derived(c, version.version_id, new, replace=True), [staged]
    )
    return Instances(store.engine).version(made)


def test_a_store_in_order_is_left_alone(store, kept):
    kept(1)
    kept(2)
    assert recover(store) == {}
    assert len(waiting(store)) == 2


# --- killed while receiving ----------------------------------------------------------------------


def test_a_half_written_arrival_is_removed(store, tmp_path):
    write(store, RECEIVED, b"half")
    assert recover(store) == {"staged_removed": 1}
    assert list((tmp_path / "data" / "incoming").iterdir()) == []


def test_an_arrival_that_was_published_but_not_committed_is_entered_with_its_event(
    store, made_ct, orphan
):
    key = orphan(made_ct())
    assert recover(store) == {"adopted": 1}
    (event,) = store.outbox.pending("a", 9)
    assert event.version.storage_key == key
    assert event.version.transfer_syntax_uid == EXPLICIT_LE.uid
    assert (event.origin.calling_aet, event.origin.called_aet) == ("MODALITY", "GATEWAY")
    assert every_file_has_a_row(store)


def test_recovering_twice_enters_it_once(store, made_ct, orphan):
    orphan(made_ct())
    recover(store)
    assert recover(store) == {}
    assert len(waiting(store)) == 1


def test_what_the_sender_repeats_after_the_crash_is_one_event(store, made_ct, orphan, receive):
    orphan(made_ct())
    recover(store)
    receive(made_ct())
    assert len(waiting(store)) == 1


def test_a_repetition_that_was_published_but_not_removed_is_removed(store, made_ct, orphan, kept):
    version = kept()
    orphan(made_ct())
    assert recover(store) == {"derived_removed": 1}
    assert list(store.files.keys()) == [version.storage_key]
    assert len(waiting(store)) == 1


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("overwrite", ["superseded", "current"]),
        ("keep", ["current", "kept"]),
        ("reject", ["current", "kept"]),
    ],
)
def test_other_content_that_was_not_committed_is_never_refused(
    store, made_ct, orphan, kept, policy, expected
):
    kept()
    orphan(made_ct(PatientName="Other^Content"))
    assert recover(store, policy) == {"adopted": 1}
    assert states(store) == expected
    assert len(waiting(store)) == 2


# --- killed while transcoding --------------------------------------------------------------------


def test_a_result_that_was_not_committed_is_removed_and_made_again(
    store, made_ct, orphan, kept, new_task
):
    version = kept()
    task = new_task(1, Action.TRANSCODE, version)
    store.committer.commit(lambda c: add_plan(c, "a", 1, [task]))
    store.tasks.claim(Action.TRANSCODE, 1)
    orphan(made_ct(), DERIVED)
    assert recover(store) == {"derived_removed": 1}
    store.tasks.reset_running()
    assert [task.version for task in store.tasks.claim(Action.TRANSCODE, 1)] == [version]


def test_a_lossy_result_that_was_not_committed_is_no_arrival(store, made_ct, orphan, kept):
    """It has a SOP Instance UID of its own."""
    version = kept()
    orphan(made_ct(2), DERIVED, version.instance_id)
    assert recover(store) == {"derived_removed": 1}
    assert [event.version for event in store.outbox.pending("a", 9)] == [version]


def test_a_lossy_result_that_was_committed_is_left_alone(store, made_ct, data_set_bytes, kept):
    version = kept()
    lossy = made_ct(2)
    staged = write(store, DERIVED, file_of(lossy, data_set_bytes(lossy)), version.instance_id)
    new = NewVersion(staged.key, EXPLICIT_LE.uid, 10)
    store.committer.commit(
        lambda c: add_derived(c, version.version_id, new, replace=False), [staged]
    )
    assert recover(store) == {}
    assert Instances(store.engine).current(version.instance_id) == version


def test_a_lossy_result_that_is_all_there_is_left_of_an_instance_is_kept_as_its_own(
    store, made_ct, orphan
):
    lossy = made_ct(2)
    key = orphan(lossy, DERIVED, "11111111-22222222-33333333-44444444-55555555")
    assert recover(store) == {"adopted": 1}
    (event,) = store.outbox.pending("a", 9)
    assert event.version.storage_key == key
    assert event.version.sop_instance_uid == lossy.SOPInstanceUID


def test_a_result_of_what_is_being_deleted_is_removed(store, made_ct, orphan, kept):
    version = kept()
    store.committer.commit(lambda c: mark_deleted(c, version.version_id))
    orphan(made_ct(), DERIVED)
    assert recover(store) == {"derived_removed": 1}


# --- killed while reclaiming ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "state", [VersionState.DELETED, VersionState.SUPERSEDED, VersionState.DERIVED]
)
def test_a_row_that_was_on_its_way_out_follows_its_file(store, kept, state):
    version = kept()
    store.outbox.settle("a", 1, lambda find: [])
    set_state(store, version, state)
    store.files.remove(version.storage_key)
    assert recover(store) == {"rows_forgotten": 1}
    assert states(store) == []


def test_what_an_event_still_waits_for_is_reported_not_forgotten(store, kept):
    version = kept()
    set_state(store, version, VersionState.SUPERSEDED)
    store.files.remove(version.storage_key)
    assert recover(store) == {"rows_damaged": 1}
    assert waiting(store) == [version.version_id]


def test_what_a_task_still_works_on_is_reported_not_forgotten(store, kept, new_task):
    version = kept()
    task = new_task(1, Action.FORWARD, version, destination="pacs")
    store.outbox.settle("a", 1, lambda find: [task])
    set_state(store, version, VersionState.DELETED)
    store.files.remove(version.storage_key)
    assert recover(store) == {"rows_damaged": 1}
    (claimed,) = store.tasks.claim(Action.FORWARD, 1, "pacs")
    assert claimed.version.version_id == version.version_id


# --- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [VersionState.CURRENT, VersionState.KEPT])
def test_the_missing_file_of_a_stored_instance_is_reported_at_each_start(store, kept, state):
    version = kept()
    set_state(store, version, state)
    store.files.remove(version.storage_key)
    for _ in range(2):
        with capture_logs() as lines:
            assert recover(store) == {"rows_damaged": 1}
        assert [line["log_level"] for line in lines if "missing" in line["event"]] == ["error"]


def test_an_instance_whose_file_is_lost_is_kept_when_it_is_sent_again(store, kept, made_ct):
    """Else success would be answered for an instance that is nowhere."""
    version = kept()
    store.files.remove(version.storage_key)
    recover(store)
    again = kept()
    assert dcmread(store.files.path(again.storage_key)) == made_ct()
    assert recover(store) == {}
    assert every_file_has_a_row(store)


def test_a_lost_replacement_is_made_good_by_the_original(store, kept, made_ct):
    version = kept()
    made = replace(store, version, made_ct(), b"another encoding")
    store.files.remove(made.storage_key)
    again = kept()
    assert dcmread(store.files.path(again.storage_key)) == made_ct()
    assert again.transfer_syntax_uid == EXPLICIT_LE.uid


def test_a_lost_file_is_made_good_by_a_repetition_that_a_crash_left(store, kept, made_ct, orphan):
    version = kept()
    store.files.remove(version.storage_key)
    key = orphan(made_ct())
    recover(store)
    assert list(store.files.keys()) == [key]
    assert Instances(store.engine).current(version.instance_id).storage_key == key


def test_a_file_that_cannot_be_read_stays_where_it_is_and_is_reported(store):
    staged = write(store, RECEIVED, b"no DICOM at all")
    store.files.publish([staged])
    for _ in range(2):
        assert recover(store) == {"unreadable": 1}
    assert list(store.files.keys()) == [staged.key]


def test_a_file_that_the_device_does_not_give_does_not_keep_us_from_starting(
    store, made_ct, orphan, monkeypatch
):
    key = orphan(made_ct())
    real = Path.open

    def faulty(path: Path, mode: str = "r", *args, **kwargs):
        if key in path.name:
            raise OSError(5, "Input/output error")
        return real(path, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", faulty)
    assert recover(store) == {"unreadable": 1}


# --- a lost index --------------------------------------------------------------------------------


def lose_the_index(store: Store) -> None:
    def forget(connection) -> None:
        ids = list(connection.scalars(select(schema.version.c.version_id)))
        delete_versions(connection, ids)
        connection.execute(delete(schema.task))

    store.committer.commit(forget)


def test_every_received_instance_is_entered_again(store, kept):
    ids = {kept(number).instance_id for number in range(1, 6)}
    lose_the_index(store)
    assert recover(store) == {"adopted": 5}
    assert {event.version.instance_id for event in store.outbox.pending("a", 99)} == ids


def test_a_replacement_that_is_the_only_copy_is_entered_too(store, kept, made_ct, data_set_bytes):
    """It was compressed on arrival, and the original is long gone."""
    version = kept()
    made = replace(store, version, made_ct(), data_set_bytes(made_ct()))
    store.outbox.settle("a", 1, lambda find: [])
    assert store.reclaimer.reclaim(9) == 1
    lose_the_index(store)
    assert recover(store) == {"adopted": 1}
    assert list(store.files.keys()) == [made.storage_key]
    assert Instances(store.engine).current(version.instance_id) is not None


def test_a_replacement_beside_its_original_is_not_entered_a_second_time(
    store, kept, made_ct, data_set_bytes
):
    version = kept()
    replace(store, version, made_ct(), data_set_bytes(made_ct()))
    lose_the_index(store)
    assert recover(store) == {"adopted": 1, "derived_removed": 1}
    assert list(store.files.keys()) == [version.storage_key]


def test_an_older_index_does_not_cost_the_only_copy(store, kept, made_ct, data_set_bytes):
    """A backup of the index was put back: it knows the original, which is long gone."""
    version = kept()
    store.files.remove(version.storage_key)
    staged = write(store, DERIVED, file_of(made_ct(), data_set_bytes(made_ct(Rows=5))))
    store.files.publish([staged])
    recover(store)
    assert staged.key in set(store.files.keys())
    assert Instances(store.engine).current(version.instance_id).storage_key == staged.key
