"""The work of MODIFY tasks: what is stored of it, and that it is stored once."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from sqlalchemy import update
from store_support import Instances, store_ingest

from gateway.errors import StorageFull, StoreError
from gateway.metrics import Metrics
from gateway.model import (
    Action,
    Event,
    NewTask,
    Origin,
    OriginKind,
    Step,
    TaskState,
    TranscodeOptions,
    Version,
)
from gateway.routing.modifying import ModifyWorker
from gateway.store import schema
from gateway.store.opened import Store
from gateway.store.recovery import Recovery
from gateway.work.remaking import Remaker

ASKED = {
    "replace": {"PatientName": "AFTER"}, "remove": ["Modality"], "remove_private": True,
    "salt": "salt", "generation": 3,
}  # fmt: skip


@pytest.fixture
def modify(store: Store, version: Version) -> Callable[..., None]:
    """Plan a modification and a forward of its result, and carry the modification out."""

    def carry_out(**asked: object) -> None:
        steps = (
            Step(1, Action.MODIFY, version.instance_id, parameters=ASKED | asked, line="a.lua:1"),
            Step(2, Action.FORWARD, result_of=1, destination="pacs", line="a.lua:2"),
        )
        tasks = [
            NewTask(steps[0], version.instance_id, version.version_id, ()),
            NewTask(steps[1], version.instance_id, None, (1,)),
        ]
        store.outbox.settle("a", 1, lambda find: tasks)
        work(store)

    return carry_out


def work(store: Store, loop_limit: int = 5) -> bool:
    metrics = Metrics()
    ingest = store_ingest(store, loop_limit=loop_limit, metrics=metrics)
    remaker = Remaker(store.files, NoCodecs(), TranscodeOptions())
    return ModifyWorker(store.tasks, ingest, remaker, metrics).work(lambda: False)


class NoCodecs:
    def transcode(self, *_: object) -> None:
        raise AssertionError("there is nothing to transcode")


def events(store: Store) -> list[Event]:
    return list(store.outbox.pending("a", 9))


def states(store: Store) -> list[str]:
    return [row.state for row in store.board.rows([*TaskState])]


def left_over(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "data" / "incoming").iterdir())


def content(store: Store, version: Version) -> Dataset:
    return dcmread(store.files.path(version.storage_key))


def test_another_instance_is_stored_beside_the_original(store, version, modify, tmp_path):
    modify()
    (event,) = events(store)
    made = content(store, event.version)
    original = content(store, version)
    assert (made.PatientName, "Modality" in made) == ("AFTER", False)
    assert made.SOPInstanceUID not in ("", original.SOPInstanceUID)
    assert made.SeriesInstanceUID == original.SeriesInstanceUID
    assert made.PixelData == original.PixelData
    assert Instances(store.engine).current(version.instance_id) == version
    assert left_over(tmp_path) == []


def test_scripts_are_told_that_a_script_has_made_it_and_of_what(store, version, modify):
    modify()
    (event,) = events(store)
    assert event.origin == Origin(OriginKind.LUA, generation=3)
    assert event.metadata["ModifiedFrom"] == version.instance_id


def test_what_follows_works_on_the_new_instance(store, version, modify):
    modify()
    (event,) = events(store)
    (task,) = store.tasks.claim(Action.FORWARD, 9, "pacs")
    assert task.version == event.version
    assert [row.instance_id for row in store.board.rows()] == [event.subject]


def test_a_modification_that_is_done_again_makes_no_second_instance(store, version, modify):
    modify()
    with store.engine.begin() as connection:  # as if the note of its end had been lost
        connection.execute(
            update(schema.task).where(schema.task.c.step == 1).values(state=TaskState.WAITING)
        )
    assert work(store)
    assert len(events(store)) == 1


def test_neither_the_instance_nor_the_end_of_the_task_is_kept_alone(
    store, version, modify, monkeypatch
):
    def fails(*_: object) -> None:
        raise StoreError("the index is broken")

    monkeypatch.setattr("gateway.store.tasks.complete", fails)
    modify()
    assert events(store) == []
    assert states(store) == [TaskState.PARKED, TaskState.BLOCKED]


def test_a_file_whose_task_has_not_ended_is_no_arrival_from_outside(store, modify, monkeypatch):
    """The gateway was killed when the file was in its place, and the rows were not."""

    def fails(*_: object) -> None:
        raise StorageFull("killed")

    with monkeypatch.context() as patched, pytest.raises(StorageFull):
        patched.setattr("gateway.store.tasks.complete", fails)
        patched.setattr(store.files, "remove", lambda key: None)  # nor was it cleared away
        modify()
    assert len(set(store.files.keys())) == 2
    store.tasks.reset_running()
    Recovery(store.engine, store.committer, store.files, "overwrite").run()
    assert events(store) == []
    assert work(store)
    (event,) = events(store)
    assert event.origin.kind is OriginKind.LUA


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"replace": {"ReferencedStudySequence": "x"}}, "(0008,1110)"),
        ({"replace": {"Rows": "many"}}, "(0028,0010)"),
    ],
)
def test_what_cannot_be_modified_parks_the_step_with_the_reason(store, modify, asked, reason):
    modify(**asked)
    (first, second) = store.board.rows()
    assert (first.state, first.error_kind) == (TaskState.PARKED, "modification")
    assert reason in first.error
    assert second.state is TaskState.BLOCKED
    assert events(store) == []


def test_a_script_that_answers_itself_for_ever_is_stopped(store, modify):
    modify(generation=6)
    first, _second = store.board.rows()
    assert first.state is TaskState.PARKED
    assert "loop" in first.error
