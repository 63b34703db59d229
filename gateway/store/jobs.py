"""The table of jobs: what outlives a restart of them."""

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, select
from sqlalchemy.dialects.sqlite import insert

from gateway.store import schema
from gateway.store.committer import Committer

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


class JobTable:
    """Reads at once; writes in the order of the calls, in the background."""

    def __init__(self, engine: Engine, committer: Committer) -> None:
        self._engine = engine
        self._committer = committer

    def all(self) -> list[JobRow]:
        """Every job, oldest first."""
        with self._engine.connect() as connection:
            return [_as_job(row) for row in connection.execute(_ALL)]

    def save(self, row: JobRow) -> Future[None]:
        """Enter it, or replace what is kept of it. The future ends when that is durable."""
        columns = asdict(row)
        # Both are what the job has found so far; they change together.
        columns["content"] = {"shown": row.content, "outputs": columns.pop("outputs")}
        return self._write(lambda connection: connection.execute(_SAVE, columns))

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
