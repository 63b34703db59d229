"""Tasks: what lanes planned, and where each piece of work stands.

blocked -> waiting -> running -> done, or parked, or dropped: see plans.py for how they belong
together.
"""

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import Future
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    bindparam,
    select,
    update,
)

from gateway.errors import GatewayError, NotFound
from gateway.model import Action, Task, TaskState
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
from gateway.store.plans import Kind, complete, drop_tasks, forget_plans

_tasks = schema.task
# The run_at of a task that a person wants tried at once, also when its destination is left alone.
NOW_PLEASE = 0.0
OnWaiting = Callable[[Action, str], None]

# Statements that run once per task are made once: making one costs more than running it.
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
            lambda connection: complete(connection, task.task_id, task.version.version_id)
        )

    def derived(
        self, task: Task, file: StagedFile, new: NewVersion, *, replace: bool
    ) -> "Future[Any]":
        """A transcoding is done: enter its file, and free what needs it."""

        def apply(connection: Connection) -> set[Kind]:
            version_id = add_derived(connection, task.version.version_id, new, replace=replace)
            return complete(connection, task.task_id, version_id)

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
                complete(connection, task.task_id, task.version.version_id)
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
            lambda connection: forget_plans(connection, time.time() - older_than_s)
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
        self._freed = complete(connection, self._task_id, result_version_id)

    def tell(self) -> None:
        """After it: wake those who wait for what the task has freed."""
        self._tell(self._freed)


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
