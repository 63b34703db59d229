"""One job in memory, and how its state changes. Whoever uses it holds the engine's lock."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from gateway.rest.errors import Fault
from gateway.rest.generations import generation
from gateway.rest.jobs import JobKind, JobState, JobView
from gateway.store.jobs import JobRow
from gateway.store.times import as_datetime

_NO_ERROR = 0
_COMPLETE = 100


@dataclass(slots=True, eq=False)
class Job:
    """What is known of a job.

    wish: what a running job is to become when it next tells its progress. ticket: its place in the
    queue; an entry with another one is void. started: on the monotonic clock, None at rest.
    """

    row: JobRow
    wish: JobState | None = None
    ticket: int = 0
    started: float | None = None

    @property
    def job_id(self) -> str:
        """Of this job."""
        return self.row.job_id

    @property
    def state(self) -> JobState:
        """Where it is."""
        return JobState(self.row.state)

    @property
    def has_ended(self) -> bool:
        """True when nothing more happens to it unless somebody asks."""
        return self.state in (JobState.SUCCESS, JobState.FAILURE)

    def wait(self, ticket: int) -> None:
        """It waits for a thread, at this place in the queue."""
        self.ticket = ticket
        self._rest(JobState.PENDING)

    def begin(self) -> None:
        """A thread takes it up, from its beginning."""
        self.started, self.wish = time.monotonic(), None
        self._change(
            state=JobState.RUNNING,
            outputs={},
            progress=0,
            error_code=_NO_ERROR,
            error_details="",
            completed_at=None,
            run_seconds=0.0,
        )

    def describe(self, content: Mapping[str, Any]) -> None:
        """Show this, and nothing of what was told before."""
        self._change(content=dict(content))

    def pause(self) -> None:
        """It waits for resume()."""
        self.ticket = 0
        self._rest(JobState.PAUSED)

    def succeed(self) -> None:
        """Its work came to its end."""
        self._rest(JobState.SUCCESS, progress=_COMPLETE, completed_at=time.time())

    def fail(self, fault: Fault, details: str = "") -> None:
        """Its work failed, or nobody wants it any more."""
        self.ticket = 0
        self._rest(
            JobState.FAILURE,
            error_code=fault.number,
            error_details=details,
            completed_at=time.time(),
        )

    def progress(self, percent: int) -> None:
        """So much is done."""
        self._change(progress=percent)

    def tell(self, content: Mapping[str, Any]) -> None:
        """Add to what clients see."""
        self._change(content={**self.row.content, **content})

    def add_output(self, name: str, media_type: str) -> None:
        """It makes a file of this name."""
        self._change(outputs={**self.row.outputs, name: media_type})

    def remove_output(self, name: str) -> None:
        """The file is gone."""
        outputs = self.row.outputs.items()
        self._change(outputs={other: kind for other, kind in outputs if other != name})

    def view(self) -> JobView:
        """As clients see it now."""
        row = self.row
        return JobView(
            job_id=row.job_id,
            kind=row.kind,
            state=self.state,
            priority=row.priority,
            progress=row.progress,
            content=row.content,
            error_code=row.error_code,
            error_details=row.error_details,
            created_at=as_datetime(row.created_at),
            completed_at=None if row.completed_at is None else as_datetime(row.completed_at),
            run_seconds=self._run_seconds,
        )

    @property
    def _run_seconds(self) -> float:
        running = 0.0 if self.started is None else time.monotonic() - self.started
        return self.row.run_seconds + running

    def _rest(self, state: JobState, **columns: Any) -> None:
        self._change(state=state, run_seconds=self._run_seconds, **columns)
        self.started = self.wish = None

    def _change(self, **columns: Any) -> None:
        self.row = replace(self.row, **columns)


def new_job(kind: JobKind, request: Mapping[str, Any], priority: int) -> Job:
    """A job that nobody has begun."""
    return Job(
        JobRow(
            job_id=str(uuid4()),
            kind=kind.name,
            state=JobState.PENDING,
            priority=priority,
            request=request,
            content=dict(kind.describe(request)),
            outputs={},
            progress=0,
            error_code=_NO_ERROR,
            error_details="",
            created_at=time.time(),
            completed_at=None,
            run_seconds=0.0,
            generation=_generation_of(kind),
        )
    )


def _generation_of(kind: JobKind) -> int:
    """Of what it stores; of what made a script ask for it, when it stores nothing."""
    return generation() if kind.stores else max(0, generation() - 1)
