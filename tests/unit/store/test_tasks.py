"""Tasks: planned, freed, claimed, done, tried again, given up; and none that hangs for ever."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import event, text
from store_support import Instances, opened_store

from gateway.dicom.syntaxes import JPEG2000_LOSSLESS
from gateway.errors import NotFound, RemoteUnreachable, StoreError, TranscodeError
from gateway.model import Action, NewTask, Task, TaskState, Version, VersionState
from gateway.store.files import DERIVED, StagedFile, sync_file
from gateway.store.instances import NewVersion
from gateway.store.opened import Store
from gateway.store.plans import add_plan

ANSWER_S = 10.0
TROUBLE = RemoteUnreachable("nobody is there")


@pytest.fixture
def version(store, kept) -> Version:
    store.outbox.open_lane("a")
    return kept()


@pytest.fixture
def plan(store):
    """Enter plans: `plan(task, ...)`; each call is an event of its own."""
    numbers = iter(range(1000, 100_000))

    def enter(*tasks: NewTask) -> None:
        store.committer.commit(lambda c: add_plan(c, "a", next(numbers), tasks))

    return enter


def found(store: Store, *states: TaskState) -> list[tuple[int, str]]:
    """Step and state of tasks, in the order they were planned; of all by default."""
    return [
        (int(row.line.split(":")[1]), row.state) for row in store.board.rows(states or [*TaskState])
    ]


def claim(store: Store, action: Action, limit: int = 100, destination: str = "") -> list[Task]:
    return store.tasks.claim(action, limit, destination)


def claim_one(store: Store, action: Action, destination: str = "") -> Task:
    (task,) = claim(store, action, 100, destination)
    return task


def made_file(store: Store) -> StagedFile:
    file = store.files.stage(DERIVED)
    with file.create() as out:
        out.write(b"made")
        sync_file(out)
    return file


def derive(store: Store, task: Task, *, replace: bool = False) -> Version:
    file = made_file(store)
    new = NewVersion(file.key, JPEG2000_LOSSLESS.uid, 4)
    store.tasks.derived(task, file, new, replace=replace).result(ANSWER_S)
    with store.engine.connect() as connection:
        version_id = connection.scalar(text("select max(version_id) from version"))
    made = Instances(store.engine).version(version_id)
    assert made is not None
    return made


# --- plans ---------------------------------------------------------------------------------------


def test_a_task_that_needs_nothing_waits_to_be_claimed(store, version, plan, new_task):
    plan(new_task(1, Action.FORWARD, version, destination="pacs", calling_aet="X"))
    task = claim_one(store, Action.FORWARD, "pacs")
    assert (task.version, task.destination, task.attempts) == (version, "pacs", 0)
    assert task.parameters == {"calling_aet": "X"}
    assert (task.lane, task.line) == ("a", "lane.lua:1")


def test_a_task_that_needs_another_is_freed_when_that_is_done(store, version, plan, new_task):
    plan(
        new_task(1, Action.FORWARD, version, destination="pacs"),
        new_task(2, Action.DELETE, version, needs=(1,)),
    )
    assert found(store) == [(1, "waiting"), (2, "blocked")]
    store.tasks.done(claim_one(store, Action.FORWARD, "pacs")).result(ANSWER_S)
    assert found(store) == [(1, "done"), (2, "waiting")]


def test_a_task_that_needs_two_waits_for_both(store, version, plan, new_task):
    plan(
        new_task(1, Action.FORWARD, version, destination="one"),
        new_task(2, Action.FORWARD, version, destination="two"),
        new_task(3, Action.DELETE, version, needs=(1, 2)),
    )
    store.tasks.done(claim_one(store, Action.FORWARD, "two")).result(ANSWER_S)
    assert (3, "blocked") in found(store)
    store.tasks.done(claim_one(store, Action.FORWARD, "one")).result(ANSWER_S)
    assert (3, "waiting") in found(store)


def test_two_needs_done_in_one_transaction_free_what_needs_them(store, version, plan, new_task):
    plan(
        new_task(1, Action.FORWARD, version, destination="pacs"),
        new_task(2, Action.FORWARD, version, destination="pacs"),
        new_task(3, Action.DELETE, version, needs=(1, 2)),
    )
    futures = [store.tasks.done(task) for task in claim(store, Action.FORWARD, 9, "pacs")]
    for future in futures:
        future.result(ANSWER_S)
    assert (3, "waiting") in found(store)


def test_the_result_of_a_task_is_what_the_next_one_works_on(store, version, plan, new_task):
    plan(
        new_task(1, Action.TRANSCODE, version),
        new_task(2, Action.FORWARD, version, result_of=1, destination="pacs"),
    )
    made = derive(store, claim_one(store, Action.TRANSCODE))
    assert claim_one(store, Action.FORWARD, "pacs").version == made
    assert (made.state, made.transfer_syntax_uid) == ("derived", JPEG2000_LOSSLESS.uid)


def test_a_task_that_only_needs_the_other_keeps_its_own_version(store, version, plan, new_task):
    plan(
        new_task(1, Action.TRANSCODE, version),
        new_task(2, Action.DELETE, version, needs=(1,)),
    )
    derive(store, claim_one(store, Action.TRANSCODE), replace=True)
    assert found(store, TaskState.WAITING) == [(2, "waiting")]
    assert store.tasks.run_deletions(10) == 1


def test_a_result_that_is_the_source_itself_is_passed_on(store, version, plan, new_task):
    """The image had that syntax already."""
    plan(
        new_task(1, Action.TRANSCODE, version),
        new_task(2, Action.FORWARD, version, result_of=1, destination="pacs"),
    )
    store.tasks.done(claim_one(store, Action.TRANSCODE)).result(ANSWER_S)
    assert claim_one(store, Action.FORWARD, "pacs").version == version


def test_two_plans_with_the_same_numbers_do_not_touch_each_other(store, version, plan, new_task):
    for _ in range(2):
        plan(
            new_task(1, Action.TRANSCODE, version),
            new_task(2, Action.FORWARD, version, result_of=1, destination="pacs"),
        )
    store.tasks.done(claim(store, Action.TRANSCODE, 1)[0]).result(ANSWER_S)
    assert found(store) == [(1, "done"), (2, "waiting"), (1, "waiting"), (2, "blocked")]


# --- replacing and deleting ----------------------------------------------------------------------


def test_a_replacement_becomes_current(store, version, plan, new_task):
    plan(new_task(1, Action.TRANSCODE, version))
    made = derive(store, claim_one(store, Action.TRANSCODE), replace=True)
    assert Instances(store.engine).current(version.instance_id) == made
    assert Instances(store.engine).version(version.version_id).state == VersionState.SUPERSEDED


def test_a_replacement_never_replaces_what_came_meanwhile(store, version, plan, new_task, kept):
    plan(new_task(1, Action.TRANSCODE, version))
    task = claim_one(store, Action.TRANSCODE)
    newer = kept(PatientName="Other^Content")
    made = derive(store, task, replace=True)
    assert made.state == VersionState.DERIVED
    assert Instances(store.engine).current(version.instance_id).version_id == newer.version_id


def test_a_replacement_of_what_was_deleted_meanwhile_does_not_bring_it_back(
    store, version, plan, new_task
):
    plan(new_task(1, Action.TRANSCODE, version))
    plan(new_task(1, Action.DELETE, version))
    task = claim_one(store, Action.TRANSCODE)
    assert store.tasks.run_deletions(10) == 1
    assert derive(store, task, replace=True).state == VersionState.DERIVED
    assert Instances(store.engine).current(version.instance_id) is None


def test_a_result_whose_source_is_gone_is_an_error_and_leaves_no_file(
    store, version, plan, new_task
):
    plan(new_task(1, Action.TRANSCODE, version))
    task = claim_one(store, Action.TRANSCODE)
    gone = replace(task, version=replace(version, version_id=999))
    file = made_file(store)
    future = store.tasks.derived(
        gone, file, NewVersion(file.key, JPEG2000_LOSSLESS.uid, 4), replace=False
    )
    with pytest.raises(NotFound):
        future.result(ANSWER_S)
    assert list(store.files.keys()) == [version.storage_key]


def test_deleting_an_instance_deletes_what_replaced_it(store, version, plan, new_task):
    plan(
        new_task(1, Action.TRANSCODE, version),
        new_task(2, Action.DELETE, version, result_of=1),
    )
    derive(store, claim_one(store, Action.TRANSCODE), replace=True)
    assert store.tasks.run_deletions(10) == 1
    assert Instances(store.engine).current(version.instance_id) is None
    assert found(store, TaskState.DONE) == [(1, "done"), (2, "done")]


def test_deleting_spares_other_content_that_took_the_id(store, version, plan, new_task, kept):
    plan(new_task(1, Action.DELETE, version))
    newer = kept(PatientName="Other^Content")
    store.tasks.run_deletions(10)
    assert Instances(store.engine).current(version.instance_id) == newer


def test_deletions_that_are_not_due_are_not_carried_out(store, version, plan, new_task):
    plan(
        new_task(1, Action.FORWARD, version, destination="pacs"),
        new_task(2, Action.DELETE, version, needs=(1,)),
    )
    assert store.tasks.run_deletions(10) == 0
    assert Instances(store.engine).current(version.instance_id) == version


# --- claiming ------------------------------------------------------------------------------------


def test_the_oldest_tasks_are_claimed_first_and_no_more_than_asked_for(
    store, version, plan, new_task
):
    for number in range(1, 6):
        plan(new_task(number, Action.FORWARD, version, destination="pacs"))
    first = claim(store, Action.FORWARD, 3, "pacs")
    assert [task.line for task in first] == [f"lane.lua:{number}" for number in (1, 2, 3)]
    second = claim(store, Action.FORWARD, 3, "pacs")
    assert [task.line for task in second] == ["lane.lua:4", "lane.lua:5"]
    assert claim(store, Action.FORWARD, 3, "pacs") == []


def test_a_worker_gets_only_its_own_kind_and_destination(store, version, plan, new_task):
    plan(
        new_task(1, Action.FORWARD, version, destination="one"),
        new_task(2, Action.TRANSCODE, version),
    )
    assert claim(store, Action.FORWARD, 9, "two") == []
    assert claim(store, Action.FORWARD, 9, "") == []
    assert len(claim(store, Action.FORWARD, 9, "one")) == 1


def test_many_workers_never_claim_the_same_task(store, version, plan, new_task):
    for _ in range(60):
        plan(new_task(1, Action.FORWARD, version, destination="pacs"))
    with ThreadPoolExecutor(6) as pool:
        batches = list(pool.map(lambda _: claim(store, Action.FORWARD, 7, "pacs"), range(20)))
    ids = [task.task_id for batch in batches for task in batch]
    assert len(ids) == len(set(ids)) == 60


# --- what became of it ---------------------------------------------------------------------------


def test_a_postponed_task_is_claimed_again_when_it_is_due(store, version, plan, new_task, later):
    plan(new_task(1, Action.FORWARD, version, destination="pacs"))
    task = claim_one(store, Action.FORWARD, "pacs")
    store.tasks.postpone(task, TROUBLE, 60).result(ANSWER_S)
    assert claim(store, Action.FORWARD, 9, "pacs") == []
    (row,) = store.board.rows()
    assert (row.state, row.error_kind, row.attempts) == ("waiting", "remote-unreachable", 1)
    later(61)
    assert claim_one(store, Action.FORWARD, "pacs").attempts == 1


def test_a_task_given_back_is_due_at_once_and_not_charged(store, version, plan, new_task):
    plan(new_task(1, Action.FORWARD, version, destination="pacs"))
    task = claim_one(store, Action.FORWARD, "pacs")
    store.tasks.excuse([task], TROUBLE, 0).result(ANSWER_S)
    assert store.board.rows()[0].error == "nobody is there"
    assert claim_one(store, Action.FORWARD, "pacs").attempts == 0


def test_giving_back_nothing_is_no_error(store):
    store.tasks.give_back([]).result(ANSWER_S)


def test_a_parked_task_waits_for_a_person_and_blocks_what_needs_it(store, version, plan, new_task):
    plan(
        new_task(1, Action.TRANSCODE, version),
        new_task(2, Action.FORWARD, version, result_of=1, destination="pacs"),
    )
    task = claim_one(store, Action.TRANSCODE)
    store.tasks.park(task, TranscodeError("no")).result(ANSWER_S)
    assert found(store) == [(1, "parked"), (2, "blocked")]
    assert claim(store, Action.TRANSCODE) == []
    assert store.board.retry([task.task_id]) == 1
    store.tasks.done(claim_one(store, Action.TRANSCODE)).result(ANSWER_S)
    assert found(store) == [(1, "done"), (2, "waiting")]


def test_a_retried_task_has_all_its_attempts_and_no_old_error(store, version, plan, new_task):
    plan(new_task(1, Action.FORWARD, version, destination="pacs"))
    task = claim_one(store, Action.FORWARD, "pacs")
    store.tasks.postpone(task, TROUBLE, 3600).result(ANSWER_S)
    assert store.board.retry([task.task_id]) == 1
    assert store.board.rows()[0].error == ""
    assert claim_one(store, Action.FORWARD, "pacs").attempts == 0


@pytest.mark.parametrize("how", ["retry", "drop"])
def test_what_runs_or_is_over_can_be_neither_retried_nor_dropped(
    store, version, plan, new_task, how
):
    plan(new_task(1, Action.FORWARD, version, destination="one"))
    plan(new_task(1, Action.FORWARD, version, destination="two"))
    running = claim_one(store, Action.FORWARD, "one")
    over = claim_one(store, Action.FORWARD, "two")
    store.tasks.done(over).result(ANSWER_S)
    assert getattr(store.board, how)([running.task_id, over.task_id, 999]) == 0
    assert found(store) == [(1, "running"), (1, "done")]


def test_dropping_a_task_drops_all_that_needs_it_and_spares_the_instance(
    store, version, plan, new_task
):
    plan(
        new_task(1, Action.TRANSCODE, version),
        new_task(2, Action.FORWARD, version, result_of=1, destination="pacs"),
        new_task(3, Action.DELETE, version, needs=(1, 2)),
        new_task(4, Action.FORWARD, version, destination="other"),
    )
    (first, *_rest) = store.board.rows()
    assert store.board.drop([first.task_id]) == 3
    assert found(store, TaskState.DROPPED) == [(1, "dropped"), (2, "dropped"), (3, "dropped")]
    assert found(store, TaskState.WAITING) == [(4, "waiting")]
    assert Instances(store.engine).current(version.instance_id) == version


def test_dropping_the_forward_spares_what_was_to_be_deleted_after_it(
    store, version, plan, new_task
):
    plan(
        new_task(1, Action.FORWARD, version, destination="pacs"),
        new_task(2, Action.DELETE, version, needs=(1,)),
    )
    store.board.drop([store.board.rows()[0].task_id])
    assert store.tasks.run_deletions(10) == 0
    assert Instances(store.engine).current(version.instance_id) == version


@pytest.mark.parametrize("how", ["retry", "drop"])
def test_more_tasks_than_a_statement_has_parameters_can_be_retried_or_dropped(
    store, version, plan, new_task, how
):
    """An archive that was down for a weekend leaves tens of thousands of them."""

    def few_parameters(dbapi_connection: sqlite3.Connection, _record: object) -> None:
        dbapi_connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 600)

    event.listen(store.engine, "connect", few_parameters)
    store.engine.dispose()
    plan(new_task(1, Action.FORWARD, version, destination="pacs"))
    (row,) = store.board.rows()
    assert getattr(store.board, how)([*range(10_000, 12_000), row.task_id]) == 1


# --- restarts and history ------------------------------------------------------------------------


def test_what_ran_when_the_process_ended_waits_again(store, version, plan, new_task):
    plan(new_task(1, Action.FORWARD, version, destination="pacs"))
    task = claim_one(store, Action.FORWARD, "pacs")
    assert store.tasks.reset_running() == 1
    assert claim_one(store, Action.FORWARD, "pacs") == task


def test_a_task_whose_version_is_gone_does_not_run_for_ever(store, plan, new_task):
    """It cannot be carried out: somebody has to see it."""
    version = Version(77, "i", "1.4", "1.3", "1.2.840.10008.1.2.1", "r0", 1, VersionState.CURRENT)
    plan(new_task(1, Action.FORWARD, version, destination="pacs"))
    assert claim(store, Action.FORWARD, 9, "pacs") == []
    (row,) = store.board.rows()
    assert (row.state, row.error_kind) == (TaskState.PARKED, "not-found")


def test_plans_that_ended_long_ago_are_forgotten_as_a_whole(store, version, plan, new_task, later):
    plan(
        new_task(1, Action.FORWARD, version, destination="one"),
        new_task(2, Action.FORWARD, version, destination="two"),
        new_task(3, Action.DELETE, version, needs=(1, 2)),
    )
    store.tasks.done(claim_one(store, Action.FORWARD, "one")).result(ANSWER_S)
    later(1000)
    assert store.tasks.forget_ended(500) == 0
    store.tasks.done(claim_one(store, Action.FORWARD, "two")).result(ANSWER_S)
    store.tasks.run_deletions(1)
    assert store.tasks.forget_ended(500) == 0
    later(1000)
    assert store.tasks.forget_ended(500) == 3
    assert found(store) == []


def test_dropped_plans_are_forgotten_too(store, version, plan, new_task, later):
    plan(new_task(1, Action.FORWARD, version, destination="one"))
    store.board.drop([row.task_id for row in store.board.rows()])
    later(1000)
    assert store.tasks.forget_ended(500) == 1


def test_every_state_is_counted(store, version, plan, new_task):
    assert set(store.board.counts()) == set(TaskState)
    plan(new_task(1, Action.FORWARD, version, destination="one"))
    assert store.board.counts()[TaskState.WAITING] == 1


def test_a_row_tells_what_an_administrator_asks(store, version, plan, new_task):
    plan(new_task(1, Action.FORWARD, version, destination="pacs"))
    (row,) = store.board.rows()
    assert (row.action, row.destination, row.instance_id, row.lane, row.line) == (
        Action.FORWARD, "pacs", version.instance_id, "a", "lane.lua:1",
    )  # fmt: skip
    assert row.run_at is not None
    assert row.run_at.tzinfo is not None


# --- speed ---------------------------------------------------------------------------------------


@contextmanager
def statements(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """The statements, with their parameters, that the store runs within the block."""
    seen: list[tuple[str, Any]] = []

    def note(_connection, _cursor, statement, parameters, _context, _many) -> None:
        seen.append((statement, parameters))

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


def assert_reads_no_whole_table(store: Store, seen: list[tuple[str, Any]]) -> None:
    for statement, parameters in seen:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")):
            with store.engine.connect() as connection:
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                details = [row.detail for row in rows]
            wrong = [detail for detail in details if is_slow(detail)]
            assert not wrong, f"{wrong} in {statement}"


def is_slow(detail: str) -> bool:
    # An aggregate of the key itself ("SCAN event" under max()) reads one row only.
    return detail.startswith("SCAN") or "TEMP B-TREE" in detail


def test_claiming_from_a_long_queue_sorts_nothing(store, version, plan, new_task):
    """Else each claim reads all that waits, while every C-STORE waits for the claim."""
    plan(new_task(1, Action.FORWARD, version, destination="pacs"))
    with statements(store) as seen:
        claim(store, Action.FORWARD, 9, "pacs")
    assert_reads_no_whole_table(store, [each for each in seen if "LIMIT" in each[0]])


def test_finishing_a_task_reads_no_whole_table(store, version, plan, new_task):
    plan(
        new_task(1, Action.FORWARD, version, destination="pacs"),
        new_task(2, Action.DELETE, version, needs=(1,)),
    )
    task = claim_one(store, Action.FORWARD, "pacs")
    with statements(store) as seen:
        store.tasks.done(task).result(ANSWER_S)
    assert_reads_no_whole_table(store, seen)


def test_forgetting_history_reads_no_whole_table(store):
    with statements(store) as seen:
        store.tasks.forget_ended(0)
    assert_reads_no_whole_table(store, seen)


def test_keeping_an_instance_reads_no_whole_table(store, kept):
    with statements(store) as seen:
        kept()
    assert_reads_no_whole_table(store, seen)


def test_handling_an_event_reads_no_whole_table(store, kept):
    store.outbox.open_lane("a")
    kept()
    with statements(store) as seen:
        assert len(store.outbox.pending("a", 10)) == 1
        store.outbox.settle("a", 1, lambda find: [])
    assert_reads_no_whole_table(store, seen)


def test_a_store_that_is_closed_refuses_at_once(tmp_path):
    store = opened_store(tmp_path)
    store.close()
    with pytest.raises(StoreError):
        store.tasks.reset_running()
