"""Plans: the tasks of one callback, and what each of them needs.

All of this happens within the transaction of somebody else. A task is done, and the tasks that need
it are freed, in one transaction.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, update

from gateway.dicom.identifiers import modified_uid
from gateway.model import Action, NewTask, TaskState
from gateway.store import schema

_tasks, _needs = schema.task, schema.task_need
_needed = _tasks.alias("needed")
Kind = tuple[Action, str]  # what a task does, and to which destination
OPEN = (TaskState.BLOCKED, TaskState.WAITING, TaskState.RUNNING, TaskState.PARKED)

# Statements that run once per task are made once: making one costs more than running it.
_ADD_TASKS = insert(_tasks).returning(_tasks.c.task_id, sort_by_parameter_order=True)
_ADD_NEEDS = insert(_needs)
_SET_DONE = (
    update(_tasks)
    .where(_tasks.c.task_id == bindparam("done_id"))
    .values(state=TaskState.DONE, finished_at=bindparam("now"), error_kind="", error="")
    .returning(_tasks.c.step)
)
_FIND_DEPENDENTS = select(_needs.c.task_id).where(_needs.c.needs_task_id == bindparam("done_id"))
_GIVE_RESULT = (
    update(_tasks)
    .where(
        _tasks.c.task_id == bindparam("dependent_id"),
        _tasks.c.result_of == bindparam("step_done"),
        _tasks.c.version_id.is_(None),
    )
    .values(
        version_id=bindparam("result"),
        # A modification makes another instance than the one that it was planned for.
        instance_id=select(schema.version.c.instance_id)
        .where(schema.version.c.version_id == bindparam("result"))
        .scalar_subquery(),
    )
)
_FREE = (
    update(_tasks)
    .where(
        _tasks.c.task_id == bindparam("dependent_id"),
        _tasks.c.state == TaskState.BLOCKED,
        ~exists().where(
            _needs.c.task_id == _tasks.c.task_id,
            _needed.c.task_id == _needs.c.needs_task_id,
            _needed.c.state != TaskState.DONE,
        ),
    )
    .values(state=TaskState.WAITING, run_at=bindparam("now"))
    .returning(_tasks.c.action, _tasks.c.destination)
)


def add_plan(
    connection: Connection, lane: str, event_id: int, planned: Sequence[NewTask]
) -> set[Kind]:
    """Enter a plan's tasks; answer the kinds of those that wait for nothing."""
    if not planned:
        return set()
    rows = [_as_row(lane, event_id, new, time.time()) for new in planned]
    added = connection.scalars(_ADD_TASKS, rows).all()
    ids = dict(zip((new.step.number for new in planned), added, strict=True))
    edges = [
        {"task_id": ids[new.step.number], "needs_task_id": ids[number]}
        for new in planned
        for number in new.needs
    ]
    if edges:
        connection.execute(_ADD_NEEDS, edges)
    return {(new.step.action, new.step.destination) for new in planned if not new.needs}


def _as_row(lane: str, event_id: int, new: NewTask, now: float) -> dict[str, Any]:
    return {
        "lane": lane,
        "event_id": event_id,
        "step": new.step.number,
        "action": new.step.action,
        "state": TaskState.BLOCKED if new.needs else TaskState.WAITING,
        "instance_id": new.instance_id,
        "version_id": new.version_id,
        "result_of": new.step.result_of,
        "destination": new.step.destination,
        "parameters": dict(new.step.parameters),
        "line": new.step.line,
        "attempts": 0,
        "run_at": now,
        "error_kind": "",
        "error": "",
        "created_at": now,
    }


def drop_tasks(connection: Connection, task_ids: set[int]) -> int:
    """Give up tasks that nobody works on, and what needs them; answer how many in all."""
    dropped = 0
    while task_ids:
        ended = connection.scalars(
            update(_tasks)
            .where(
                _tasks.c.task_id.in_(task_ids),
                _tasks.c.state.in_([TaskState.BLOCKED, TaskState.WAITING, TaskState.PARKED]),
            )
            .values(state=TaskState.DROPPED, finished_at=time.time())
            .returning(_tasks.c.task_id)
        ).all()
        dropped += len(ended)
        task_ids = set(
            connection.scalars(
                select(_needs.c.task_id).where(_needs.c.needs_task_id.in_(ended))
            ).all()
        )
    return dropped


def complete(connection: Connection, task_id: int, result_version_id: int) -> set[Kind]:
    """Mark it done and free what needs it; answer the kinds of what was freed."""
    done = {"done_id": task_id, "now": time.time()}
    step = connection.scalar(_SET_DONE, done)
    dependents = connection.scalars(_FIND_DEPENDENTS, done).all()
    freed = set()
    for dependent in dependents:
        of_it = {"dependent_id": dependent, "step_done": step, "result": result_version_id}
        connection.execute(_GIVE_RESULT, of_it)
        row = connection.execute(_FREE, {"dependent_id": dependent, "now": done["now"]}).first()
        if row is not None:
            freed.add((Action(row.action), str(row.destination)))
    return freed


def forget_plans(connection: Connection, before: float) -> int:
    """Remove plans that came to their end before this time; answer how many tasks went."""
    others = schema.task.alias("others")
    ended = (
        select(_tasks.c.task_id)
        .where(
            _tasks.c.finished_at < before,
            ~exists().where(
                others.c.lane == _tasks.c.lane,
                others.c.event_id == _tasks.c.event_id,
                (others.c.finished_at.is_(None)) | (others.c.finished_at >= before),
            ),
        )
        .limit(1000)  # every C-STORE waits while they go
    )
    ids = connection.scalars(ended).all()
    for part in parts(ids):
        connection.execute(
            delete(_needs).where(_needs.c.task_id.in_(part) | _needs.c.needs_task_id.in_(part))
        )
        connection.execute(delete(_tasks).where(_tasks.c.task_id.in_(part)))
    return len(ids)


def wanted_by_a_task(version_id: Any) -> Any:
    """SQL: some task that has not come to its end works on the version."""
    return exists().where(_tasks.c.version_id == version_id, _tasks.c.state.in_(OPEN))


def uids_to_be_made(connection: Connection) -> set[str]:
    """The SOP Instance UIDs that modifications will give which have not come to their end."""
    rows = connection.execute(
        select(schema.instance.c.sop_instance_uid, _tasks.c.parameters)
        .join(schema.version, schema.version.c.instance_id == schema.instance.c.instance_id)
        .join(_tasks, _tasks.c.version_id == schema.version.c.version_id)
        .where(_tasks.c.action == Action.MODIFY, _tasks.c.state.in_(OPEN))
    )
    return {modified_uid(row.sop_instance_uid, row.parameters["salt"]) for row in rows}


def parts(ids: Collection[int]) -> Iterator[Sequence[int]]:
    """SQLite bounds the number of a statement's parameters."""
    listed = list(ids)
    for start in range(0, len(listed), 250):
        yield listed[start : start + 250]
