"""Tasks: what lanes planned, and where each piece of work stands.

blocked -> waiting -> running -> done, or parked, or dropped. A task is done, and the tasks that
need it are freed, in one transaction.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    bindparam,
    delete,
    exists,
    insert,
    select,
    update,
)

from gateway.dicom.identifiers import modified_uid
from gateway.errors import GatewayError, NotFound
from gateway.model import Action, NewTask, Task, TaskState
from gateway.store import schema
from gateway.store.committer import Committer
from gateway.store.files import StagedFile
from gateway.store.instances import (
    NewVersion,
    add_derived,
    as_version,
    mark_deleted,
    select_versions,
)

_tasks, _needs = schema.task, schema.task_need
_needed = _tasks.alias("needed")
# The run_at of a task that a person wants tried at once, also when its destination is left alone.
NOW_PLEASE = 0.0
Kind = tuple[Action, str]  # what a task does, and to which destination
OnWaiting = Callable[[Action, str], None]
OPEN = (TaskState.BLOCKED, TaskState.WAITING, TaskState.RUNNING, TaskState.PARKED)

# Statements that run once per task are made once: making one costs more than running it.
_ADD_TASKS = insert(_tasks).returning(_tasks.c.task_id, sort_by_parameter_order=True)
_ADD_NEEDS = insert(_needs)
_IS_DUE = select(_tasks.c.task_id).where(
    _tasks.c.state == TaskState.WAITING,
    _tasks.c.action == bindparam("due_action"),
    _tasks.c.destination == bindparam("due_destination"),
    _tasks.c.run_at <= bindparam("now"),
)
# In the order of its index: by task_id, each claim would sort all that waits.
_NEXT_DUE = _IS_DUE.order_by(_tasks.c.run_at, _tasks.c.task_id).limit(bindparam("at_most"))
_ANY_DUE = _IS_DUE.limit(1)
_CLAIM = (
    update(_tasks)
    .where(_tasks.c.task_id.in_(_NEXT_DUE))
    .values(state=TaskState.RUNNING)
    .returning(_tasks.c.task_id)
)
_SELECT_TASKS = (
    select_versions()
    .add_columns(
        _tasks.c.task_id, _tasks.c.lane, _tasks.c.event_id, _tasks.c.action,
        _tasks.c.destination, _tasks.c.parameters, _tasks.c.attempts, _tasks.c.line,
    )
    .join(_tasks, _tasks.c.version_id == schema.version.c.version_id)
    .where(_tasks.c.task_id.in_(bindparam("task_ids", expanding=True)))
    .order_by(_tasks.c.task_id)
)  # fmt: skip
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


class Tasks:
    """The task table as workers see it."""

    def __init__(self, engine: Engine, committer: Committer, on_waiting: OnWaiting) -> None:
        self._engine = engine
        self._committer = committer
        self._on_waiting = on_waiting

    def claim(self, action: Action, limit: int, destination: str = "") -> list[Task]:
        """Take up to `limit` tasks, those due for longest: they are RUNNING now."""
        if not self._is_due(action, destination):  # a read waits for nobody, and is cheap
            return []
        return self._committer.commit(
            lambda connection: _claim(connection, action, limit, destination)
        )

    def done(self, task: Task) -> "Future[Any]":
        """It is done: free what needs it. Answers at once; the future when it is durable."""
        return self._submit_freeing(
            lambda connection: _complete(connection, task.task_id, task.version.version_id)
        )

    def derived(
        self, task: Task, file: StagedFile, new: NewVersion, *, replace: bool
    ) -> "Future[Any]":
        """A transcoding is done: enter its file, and free what needs it."""

        def apply(connection: Connection) -> set[Kind]:
            version_id = add_derived(connection, task.version.version_id, new, replace=replace)
            return _complete(connection, task.task_id, version_id)

        return self._submit_freeing(apply, [file])

    def completion(self, task: Task) -> "Completion":
        """A way to complete a task in the transaction that enters its result."""
        return Completion(task, self._tell_all)

    def postpone(self, task: Task, error: GatewayError, delay_s: float) -> "Future[Any]":
        """It failed, and the attempt counts: try again after `delay_s` seconds."""
        return self._set(
            [task.task_id],
            state=TaskState.WAITING,
            attempts=_tasks.c.attempts + 1,
            run_at=time.time() + delay_s,
            **_as_columns(error),
        )

    def give_back(self, tasks: Iterable[Task]) -> "Future[Any]":
        """They were not tried: they wait as before."""
        return self._set([task.task_id for task in tasks], state=TaskState.WAITING)

    def excuse(self, tasks: Iterable[Task], error: GatewayError, delay_s: float) -> "Future[Any]":
        """They were not to blame: try again after `delay_s` seconds, no attempt is counted."""
        return self._set(
            [task.task_id for task in tasks],
            state=TaskState.WAITING,
            run_at=time.time() + delay_s,
            **_as_columns(error),
        )

    def is_asked_for(self, action: Action, destination: str) -> bool:
        """Somebody asked by retry() that this destination be tried now."""
        return self._is_due(action, destination, by=NOW_PLEASE)

    def park(self, task: Task, error: GatewayError) -> "Future[Any]":
        """No further attempt without a person; its reason is kept."""
        return self._set(
            [task.task_id],
            state=TaskState.PARKED,
            attempts=_tasks.c.attempts + 1,
            **_as_columns(error),
        )

    def drop(self, task: Task, reason: GatewayError) -> "Future[Any]":
        """It is not to be done, nor is what needs it; its reason is kept."""

        def apply(connection: Connection) -> int:
            connection.execute(
                update(_tasks)
                .where(_tasks.c.task_id == task.task_id, _tasks.c.state == TaskState.RUNNING)
                .values(state=TaskState.PARKED, **_as_columns(reason))
            )
            return drop_tasks(connection, {task.task_id})

        return self._committer.submit(apply)

    def run_deletions(self, limit: int) -> int:
        """Carry out DELETE tasks that are due, in one transaction; answer how many."""
        if not self._is_due(Action.DELETE, ""):
            return 0

        def apply(connection: Connection) -> int:
            # Only other deletions can need one: the next round finds them, nobody has to be told.
            claimed = _claim(connection, Action.DELETE, limit, "")
            for task in claimed:
                mark_deleted(connection, task.version.version_id)
                _complete(connection, task.task_id, task.version.version_id)
            return len(claimed)

        return self._committer.commit(apply)

    def reset_running(self) -> int:
        """At start: what ran when the process ended waits again. Answers how many."""
        return self._committer.commit(
            lambda connection: (
                connection.execute(
                    update(_tasks)
                    .where(_tasks.c.state == TaskState.RUNNING)
                    .values(state=TaskState.WAITING)
                ).rowcount
            )
        )

    def forget_ended(self, older_than_s: float) -> int:
        """Remove plans that came to their end so long ago; answer how many tasks went."""
        return self._committer.commit(
            lambda connection: _forget_ended(connection, time.time() - older_than_s)
        )

    def _set(self, task_ids: list[int], **values: Any) -> "Future[Any]":
        """For running tasks only: what a worker has answered once stays so."""
        return self._committer.submit(
            lambda connection: (
                connection.execute(
                    update(_tasks)
                    .where(_tasks.c.task_id.in_(task_ids), _tasks.c.state == TaskState.RUNNING)
                    .values(**values)
                ).rowcount
            )
        )

    def _submit_freeing(
        self, apply: Callable[[Connection], set[Kind]], files: Sequence[StagedFile] = ()
    ) -> "Future[set[Kind]]":
        """Commit what frees tasks, and tell who waits for them once it is durable."""
        future = self._committer.submit(apply, files)
        future.add_done_callback(self._tell)
        return future

    def _tell(self, future: "Future[set[Kind]]") -> None:
        if future.cancelled() or future.exception() is not None:
            return
        self._tell_all(future.result())

    def _tell_all(self, freed: Iterable[Kind]) -> None:
        for action, destination in freed:
            self._on_waiting(action, destination)

    def _is_due(self, action: Action, destination: str, by: float | None = None) -> bool:
        with self._engine.connect() as connection:
            found = connection.scalar(_ANY_DUE, _due(action, destination, by))
        return found is not None


class Completion:
    """The end of one task in somebody else's transaction: either both are durable or none."""

    def __init__(self, task: Task, tell: Callable[[Iterable[Kind]], None]) -> None:
        self._task_id = task.task_id
        self._tell = tell
        self._freed: set[Kind] = set()

    def enter(self, connection: Connection, result_version_id: int) -> None:
        """Within the transaction: the task is done, and this is its result."""
        self._freed = _complete(connection, self._task_id, result_version_id)

    def tell(self) -> None:
        """After it: wake those who wait for what the task has freed."""
        self._tell(self._freed)


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


def _claim(connection: Connection, action: Action, limit: int, destination: str) -> list[Task]:
    due = _due(action, destination) | {"at_most": limit}
    claimed = connection.scalars(_CLAIM, due).all()
    if not claimed:
        return []
    rows = connection.execute(_SELECT_TASKS, {"task_ids": claimed})
    tasks = [_as_task(row) for row in rows]
    lost = set(claimed) - {task.task_id for task in tasks}
    if lost:
        _park_lost(connection, lost)
    return tasks


def _park_lost(connection: Connection, task_ids: Collection[int]) -> None:
    """Nobody can carry these out: what they work on is not in the index any more."""
    error = NotFound("what it works on is gone")
    connection.execute(
        update(_tasks)
        .where(_tasks.c.task_id.in_(task_ids))
        .values(state=TaskState.PARKED, **_as_columns(error))
    )


def _due(action: Action, destination: str, by: float | None = None) -> dict[str, Any]:
    """Parameters of the statements above; by: seconds since the epoch, now for None."""
    moment = time.time() if by is None else by
    return {"due_action": action, "due_destination": destination, "now": moment}


def _complete(connection: Connection, task_id: int, result_version_id: int) -> set[Kind]:
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


def _forget_ended(connection: Connection, before: float) -> int:
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


def parts(ids: Collection[int]) -> Iterator[Sequence[int]]:
    """SQLite bounds the number of a statement's parameters."""
    listed = list(ids)
    for start in range(0, len(listed), 250):
        yield listed[start : start + 250]


def _as_columns(error: GatewayError) -> dict[str, str]:
    return {"error_kind": error.kind, "error": error.detail}


def _as_task(row: Row[Any]) -> Task:
    return Task(
        task_id=row.task_id,
        lane=row.lane,
        event_id=row.event_id,
        action=Action(row.action),
        version=as_version(row),
        destination=row.destination,
        parameters=row.parameters,
        attempts=row.attempts,
        line=row.line,
    )
