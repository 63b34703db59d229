"""Jobs: what takes time, done in the background or waited for, as Orthanc's jobs are.

A *kind* of job turns a request into work; its module registers it. The engine runs, keeps and lists
jobs and knows nothing of what they do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Protocol


class JobState(StrEnum):
    """The values are Orthanc's."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCESS = "Success"
    FAILURE = "Failure"
    PAUSED = "Paused"
    RETRY = "Retry"


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as clients see it. content: of its kind; error_code: Fault.number, 0 for none."""

    job_id: str
    kind: str
    state: JobState
    priority: int
    progress: int
    content: Mapping[str, Any]
    error_code: int
    error_details: str
    created_at: datetime
    completed_at: datetime | None
    run_seconds: float


class JobOutput(NamedTuple):
    """A file that a job has made."""

    path: Path
    media_type: str


class Running(Protocol):
    """What a job's work is given by the engine."""

    @property
    def job_id(self) -> str:
        """Of this job."""

    def progress(self, done: int, of: int) -> None:
        """So much is done. Raises JobInterrupted when the job is cancelled or paused."""

    def tell(self, **content: Any) -> None:
        """Add to the content that clients see."""

    def output(self, name: str, media_type: str) -> Path:
        """Where to write a file that GET /jobs/{id}/{name} answers, as long as the job is kept."""


class JobInterrupted(Exception):
    """Raised inside a job's work by Running.progress(); not to be caught."""


Work = Callable[[Running, Mapping[str, Any]], None]
"""Carries a request out. May be called again, from its beginning, after an interruption, a restart
or a resubmission: it must be able to. Raises ApiError."""


@dataclass(frozen=True, slots=True)
class JobKind:
    """name: Orthanc's type of the job, as DicomModalityStore. describe: content from the start.

    stores: its results are new instances. The request is JSON: it is kept, and outlives a restart.
    """

    name: str
    work: Work
    describe: Callable[[Mapping[str, Any]], Mapping[str, Any]] = field(default=lambda request: {})
    stores: bool = False


class Jobs(Protocol):
    """The engine. Thread-safe."""

    def register(self, kind: JobKind) -> None:
        """Make a kind known; before start()."""

    def submit(self, kind: str, request: Mapping[str, Any], priority: int = 0) -> str:
        """Have it done in the background; answer the job's id."""

    def run(self, kind: str, request: Mapping[str, Any], priority: int = 0) -> JobView:
        """The same, and wait for its end. The view tells whether it failed."""

    def list(self) -> list[JobView]:
        """All jobs that wait, run, or are remembered, by their ids."""

    def view(self, job_id: str) -> JobView | None:
        """One of them."""

    def cancel(self, job_id: str) -> bool:
        """End it as a failure: at once, or when it next tells its progress. No harm after its end.

        This and the next three answer False when there is no such job, or its state forbids that.
        """

    def pause(self, job_id: str) -> bool:
        """Let it rest until resume(). No harm after its end."""

    def resume(self, job_id: str) -> bool:
        """Have a paused job done, from its beginning."""

    def resubmit(self, job_id: str) -> bool:
        """Have a failed job done again, from its beginning."""

    def output(self, job_id: str, name: str) -> JobOutput | None:
        """What a successful job has made under this name."""

    def delete_output(self, job_id: str, name: str) -> bool:
        """Remove that file; False when there is none."""
