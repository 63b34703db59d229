"""Reclaiming: what nobody needs any more goes, and nothing else ever does."""

from datetime import UTC, datetime

import pytest
from store_support import Instances

from gateway.errors import TranscodeError
from gateway.model import Action, ParkedEvent, TaskState, Version
from gateway.store.cursors import REOPEN_WITHIN_S
from gateway.store.files import DERIVED, sync_file
from gateway.store.instances import NewVersion, add_derived, mark_deleted
from gateway.store.opened import Store
from gateway.store.plans import add_plan

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def lane(store: Store) -> None:
    open_lane(store, "a")


def open_lane(store: Store, name: str) -> None:
    """Of a script that wants to know of stored instances alone."""
    store.outbox.open_lane(name)
    store.outbox.describe_lane(name, script_version="v", callbacks=["OnStoredInstance"], fault="")


@pytest.fixture
def version(kept) -> Version:
    return kept()


def delete(store: Store, version: Version) -> None:
    store.committer.commit(lambda c: mark_deleted(c, version.version_id))


def settle(store: Store, lane: str = "a", *tasks) -> None:
    (event,) = store.outbox.pending(lane, 9)
    store.outbox.settle(lane, event.event_id, lambda find: tasks)


def reclaimed(store: Store) -> int:
    """How many files went; their rows are gone with them, and no others."""
    before = set(store.files.keys())
    count = store.reclaimer.reclaim(100)
    assert len(before) - len(list(store.files.keys())) == count
    return count


def derive(store: Store, version: Version, *, replace: bool) -> None:
    staged = store.files.stage(DERIVED)
    with staged.create() as out:
        out.write(b"made")
        sync_file(out)
    new = NewVersion(staged.key, "1.2.840.10008.1.2.4.90", 4)
    store.committer.commit(
        lambda c: add_derived(c, version.version_id, new, replace=replace), [staged]
    )


def test_a_stored_instance_stays(store, version):
    settle(store)
    assert reclaimed(store) == 0


def test_a_deleted_instance_goes_once_its_event_is_handled(store, version, tmp_path):
    delete(store, version)
    assert reclaimed(store) == 0
    settle(store)
    assert reclaimed(store) == 1
    assert Instances(store.engine).version(version.version_id) is None
    assert list((tmp_path / "data" / "files").iterdir()) == []


def test_an_overwritten_content_goes_and_the_new_one_stays(store, version, kept):
    newer = kept(PatientName="Other^Content")
    for event in store.outbox.pending("a", 9):
        store.outbox.settle("a", event.event_id, lambda find: [])
    assert reclaimed(store) == 1
    assert list(store.files.keys()) == [newer.storage_key]


def test_a_replaced_original_goes_and_its_replacement_stays(store, version):
    derive(store, version, replace=True)
    settle(store)
    assert reclaimed(store) == 1
    assert Instances(store.engine).current(version.instance_id) is not None


def test_a_result_that_no_task_needs_goes(store, version):
    derive(store, version, replace=False)
    settle(store)
    assert reclaimed(store) == 1
    assert list(store.files.keys()) == [version.storage_key]


def test_every_lane_must_have_handled_the_event(store, kept):
    open_lane(store, "b")
    version = kept()
    delete(store, version)
    settle(store, "a")
    assert reclaimed(store) == 0
    settle(store, "b")
    assert reclaimed(store) == 1


def test_an_event_settled_ahead_of_others_needs_nothing(store, kept):
    kept(1)
    second = kept(2)
    delete(store, second)
    _first_event, second_event = store.outbox.pending("a", 9)
    store.outbox.settle("a", second_event.event_id, lambda find: [])
    assert reclaimed(store) == 1


def test_a_parked_event_keeps_its_file_until_it_is_dropped(store, version):
    delete(store, version)
    (event,) = store.outbox.pending("a", 9)
    store.outbox.park(
        ParkedEvent(
            "a", event.event_id, event.kind, version.instance_id, "script-error", "", "", "", NOW
        )
    )
    assert reclaimed(store) == 0
    store.outbox.retry_events([("a", event.event_id)])
    assert reclaimed(store) == 0
    store.outbox.park(
        ParkedEvent(
            "a", event.event_id, event.kind, version.instance_id, "script-error", "", "", "", NOW
        )
    )
    store.outbox.drop_events([("a", event.event_id)])
    assert reclaimed(store) == 1


@pytest.mark.parametrize("state", ["blocked", "waiting", "running", "parked"])
def test_a_task_that_is_not_over_keeps_its_file(store, version, new_task, state):
    first = new_task(1, Action.TRANSCODE, version)
    other = new_task(2, Action.FORWARD, version, needs=(1,), destination="pacs")
    settle(store, "a", *([first, other] if state == "blocked" else [first]))
    delete(store, version)
    if state in ("running", "parked"):
        (task,) = store.tasks.claim(Action.TRANSCODE, 1)
        if state == "parked":
            store.tasks.park(task, TranscodeError("no")).result()
    elif state == "blocked":
        (task,) = store.tasks.claim(Action.TRANSCODE, 1)
    assert state in {row.state for row in store.board.rows()}
    assert reclaimed(store) == 0


@pytest.mark.parametrize("end", [TaskState.DONE, TaskState.DROPPED])
def test_a_task_that_is_over_keeps_nothing(store, version, new_task, end):
    settle(store, "a", new_task(1, Action.FORWARD, version, destination="pacs"))
    delete(store, version)
    if end is TaskState.DONE:
        (task,) = store.tasks.claim(Action.FORWARD, 1, "pacs")
        store.tasks.done(task).result()
    else:
        store.board.drop([row.task_id for row in store.board.rows()])
    assert reclaimed(store) == 1


def test_a_result_stays_while_a_task_waits_to_forward_it(store, version, new_task):
    settle(
        store, "a",
        new_task(1, Action.TRANSCODE, version),
        new_task(2, Action.FORWARD, version, result_of=1, destination="pacs"),
        new_task(3, Action.DELETE, version, needs=(1, 2)),
    )  # fmt: skip
    (task,) = store.tasks.claim(Action.TRANSCODE, 1)
    staged = store.files.stage(DERIVED)
    with staged.create() as out:
        sync_file(out)
    new = NewVersion(staged.key, "1.2.840.10008.1.2.4.90", 4)
    store.tasks.derived(task, staged, new, replace=False).result()
    assert reclaimed(store) == 0
    (forward,) = store.tasks.claim(Action.FORWARD, 1, "pacs")
    assert store.files.path(forward.version.storage_key).exists()
    store.tasks.done(forward).result()
    assert reclaimed(store) == 1  # the result; the original is still to be deleted
    assert store.tasks.run_deletions(9) == 1
    assert reclaimed(store) == 1
    assert list(store.files.keys()) == []


def test_a_lane_whose_script_is_gone_needs_nothing(store, version, later):
    delete(store, version)
    store.outbox.close_lane("a")
    later(REOPEN_WITHIN_S + 1)
    assert reclaimed(store) == 1


def test_a_script_that_an_editor_saves_still_needs_its_events(store, version):
    """The file is away for a moment: what it has not seen must be there when it is back."""
    delete(store, version)
    store.outbox.close_lane("a")
    assert reclaimed(store) == 0
    store.outbox.open_lane("a")
    assert len(store.outbox.pending("a", 9)) == 1


def test_no_more_go_at_once_than_asked_for(store, kept):
    for number in range(1, 6):
        delete(store, kept(number))
    for event in store.outbox.pending("a", 9):
        store.outbox.settle("a", event.event_id, lambda find: [])
    assert [store.reclaimer.reclaim(2) for _ in range(4)] == [2, 2, 1, 0]


def test_a_file_that_cannot_be_removed_keeps_none_of_the_others(store, kept):
    versions = [kept(number) for number in (1, 2, 3)]
    for version in versions:
        delete(store, version)
    for event in store.outbox.pending("a", 9):
        store.outbox.settle("a", event.event_id, lambda find: [])
    stuck = store.files.path(versions[0].storage_key)
    stuck.unlink()
    stuck.mkdir()  # not to be unlinked
    assert store.reclaimer.reclaim(9) == 2
    assert store.reclaimer.reclaim(9) == 0
    stuck.rmdir()
    assert store.reclaimer.reclaim(9) == 1


def test_a_plan_of_a_reclaimed_instance_finds_it_no_more(store, version):
    delete(store, version)
    settle(store)
    reclaimed(store)
    assert Instances(store.engine).current(version.instance_id) is None


def test_history_of_tasks_outlives_the_instance(store, version, new_task):
    settle(store, "a", new_task(1, Action.DELETE, version))
    store.tasks.run_deletions(9)
    assert reclaimed(store) == 1
    assert [row.state for row in store.board.rows([TaskState.DONE])] == ["done"]
    store.committer.commit(lambda c: add_plan(c, "b", 1, []))
