"""Tasks as administrators see them: listed, counted, retried, given up."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, select, update

from gateway.model import Action, TaskRow, TaskState
from gateway.store import schema
from gateway.store.committer import Committer
from gateway.store.plans import OPEN, Kind, drop_tasks, parts
from gateway.store.tasks import NOW_PLEASE
from gateway.store.times import as_datetime

_tasks = schema.task


class TaskBoard:
    """The task table, for `gateway queue` and metrics."""

    def __init__(self, engine: Engine, committer: Committer) -> None:
        self._engine = engine
        self._committer = committer

    def rows(self, states: Collection[TaskState] | None = None) -> list[TaskRow]:
        """Tasks in these states, oldest first; None: all that have not come to an end."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(_tasks)
                .where(_tasks.c.state.in_(OPEN if states is None else states))
                .order_by(_tasks.c.task_id)
            ).all()
        return [_as_row(row) for row in rows]

    def counts(self) -> Mapping[TaskState, int]:
        """How many tasks are in each state."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(_tasks.c.state, func.count()).group_by(_tasks.c.state)
            ).all()
        found = {row[0]: row[1] for row in rows}
        return {state: found.get(state, 0) for state in TaskState}

    def remotes(self) -> set[Kind]:
        """Those that some task which has not come to its end is to send to, and how."""
        statement = (
            select(_tasks.c.action, _tasks.c.destination)
            .where(_tasks.c.destination != "", _tasks.c.state.in_(OPEN))
            .distinct()
        )
        with self._engine.connect() as connection:
            return {(Action(row.action), row.destination) for row in connection.execute(statement)}

    def retry(self, task_ids: Collection[int]) -> int:
        """Have parked or waiting tasks tried now, with all attempts; answer how many there were."""

        return self._committer.commit(
            lambda connection: sum(_retry(connection, part) for part in parts(task_ids))
        )

    def drop(self, task_ids: Collection[int]) -> int:
        """Give tasks up, and what needs them; answer how many in all. The instances stay.

        A running task cannot be dropped.
        """
        return self._committer.commit(
            lambda connection: sum(drop_tasks(connection, set(part)) for part in parts(task_ids))
        )


def _retry(connection: Connection, task_ids: Collection[int]) -> int:
    return connection.execute(
        update(_tasks)
        .where(
            _tasks.c.task_id.in_(task_ids),
            _tasks.c.state.in_([TaskState.PARKED, TaskState.WAITING]),
        )
        .values(state=TaskState.WAITING, attempts=0, run_at=NOW_PLEASE, error_kind="", error="")
    ).rowcount


def _as_row(row: Row[Any]) -> TaskRow:
    return TaskRow(
        task_id=row.task_id,
        state=TaskState(row.state),
        action=Action(row.action),
        lane=row.lane,
        event_id=row.event_id,
        instance_id=row.instance_id,
        destination=row.destination,
        attempts=row.attempts,
        run_at=as_datetime(row.run_at) if row.state == TaskState.WAITING else None,
        error_kind=row.error_kind,
        error=row.error,
        line=row.line,
    )
