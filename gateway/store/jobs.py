"""The table of jobs: what outlives a restart of them."""

import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from gateway.model import EventKind
from gateway.store import schema
from gateway.store.committer import Committer
from gateway.store.notices import add_notice

_job = schema.job
_INSERT = insert(_job)
# A job is entered when it is submitted, and replaced whenever its state changes.
_SAVE = _INSERT.on_conflict_do_update(
    index_elements=[_job.c.job_id],
    set_={column.name: column for column in _INSERT.excluded if column.name != "job_id"},
)
_ALL = select(_job).order_by(_job.c.created_at, _job.c.job_id)


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as it is kept. Times are UTC seconds since the epoch.

    content: what clients see of it. outputs: media type of each file that it has made, by name.
    generation: see Origin; of the instances that it stores, or of what a script submitted it for.
    """

    job_id: str
    kind: str
    state: str
    priority: int
    request: Mapping[str, Any]
    content: Mapping[str, Any]
    outputs: Mapping[str, str]
    progress: int
    error_code: int
    error_details: str
    created_at: float
    completed_at: float | None
    run_seconds: float
    generation: int = 0


def replace_request(connection: Connection, job_id: str, request: Mapping[str, Any]) -> None:
    """What a job is asked if it begins anew: together with what it has done already."""
    connection.execute(update(_job).where(_job.c.job_id == job_id).values(request=request))


class JobTable:
    """Reads at once; writes in the order of the calls, in the background."""

    def __init__(self, engine: Engine, committer: Committer) -> None:
        self._engine = engine
        self._committer = committer

    def all(self) -> list[JobRow]:
        """Every job, oldest first."""
        with self._engine.connect() as connection:
            return [_as_job(row) for row in connection.execute(_ALL)]

    def save(self, row: JobRow, told: EventKind | None = None) -> Future[None]:
        """Enter it, or replace what is kept of it. The future ends when that is durable.

        told: the event to tell the lanes with it.
        """
        columns = asdict(row)
        # Both are what the job has found so far; they change together.
        columns["content"] = {"shown": row.content, "outputs": columns.pop("outputs")}

        def write(connection: Connection) -> None:
            connection.execute(_SAVE, columns)
            if told is not None:
                add_notice(connection, told, row.job_id, time.time(), row.generation)

        return self._write(write)

    def tell(self, told: EventKind, job_id: str, generation: int = 0) -> Future[None]:
        """Tell the lanes of a job that is not kept."""
        return self._write(
            lambda connection: add_notice(connection, told, job_id, time.time(), generation)
        )

    def delete(self, job_ids: Collection[str]) -> Future[None]:
        """Forget these."""
        going = _job.c.job_id.in_(job_ids)
        return self._write(lambda connection: connection.execute(delete(_job).where(going)))

    def _write(self, statement: Callable[[Connection], object]) -> Future[None]:
        def apply(connection: Connection) -> None:
            statement(connection)

        return self._committer.submit(apply)


def _as_job(row: Row[Any]) -> JobRow:
    columns = dict(row._mapping)
    found = columns.pop("content")
    return JobRow(**columns, content=found["shown"], outputs=found["outputs"])
