"""The engine of jobs: threads that carry them out, by priority, over a table that outlives them.

What clients ask is answered from memory. Changes of a job's state are written in the order in
which they happen, so that a job that was submitted is done, whatever ends the gateway meanwhile.
"""

import heapq
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from itertools import count
from math import inf
from pathlib import Path
from threading import Condition, Lock, Thread
from typing import Any

from gateway.errors import GatewayError, StorageFull
from gateway.logs import logger
from gateway.model import EventKind
from gateway.rest.errors import ApiError, Fault
from gateway.rest.job import Job, new_job
from gateway.rest.jobs import JobInterrupted, JobKind, JobOutput, JobState, JobView
from gateway.rest.patience import seconds_left
from gateway.store.jobs import JobTable

log = logger("rest")
_STOP_WITHIN_S = 10.0
_LOOK_EVERY_S = 0.25


class JobEngine:
    """Implements Jobs. start() after the last register(); stop() before the store is closed."""

    def __init__(
        self, table: JobTable, folder: Path, *, workers: int, history: int, durable: bool
    ) -> None:
        """folder: for outputs, this engine's own. history: how many ended jobs are remembered.

        durable: jobs outlive a restart; those that waited or ran then begin anew.
        """
        self._table = table
        self._folder = folder
        self._history = history
        self._durable = durable
        self._kinds: dict[str, JobKind] = {}
        self._lock = Lock()
        self._has_work = Condition(self._lock)
        self._has_ended = Condition(self._lock)
        self._jobs: dict[str, Job] = {}
        # Highest priority first, then the oldest: (-priority, ticket, job).
        self._queue: list[tuple[int, int, Job]] = []
        self._tickets = count(1)
        self._stopping = False
        self._latest_write: Future[None] | None = None
        self._threads = [
            Thread(target=self._work, name=f"job-{number}", daemon=True)
            for number in range(workers)
        ]

    # --- its life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Remember the jobs of before, go on with those that had not ended. Raises OSError."""
        with self._lock:
            self._recall()
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.iterdir():
            if left.name not in self._jobs:
                shutil.rmtree(left)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Interrupt what runs, to begin anew after the next start; let nobody wait any longer."""
        with self._lock:
            self._stopping = True
            self._has_work.notify_all()
            self._has_ended.notify_all()
        deadline = time.monotonic() + _STOP_WITHIN_S
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.warning("a job did not end in time", worker=thread.name)
        if self._latest_write is not None:  # those before it are written before it
            wait([self._latest_write])

    def _recall(self) -> None:
        rows = self._table.all()
        if not self._durable:
            self._table.delete([row.job_id for row in rows])
            return
        for row in sorted(rows, key=lambda row: row.completed_at or 0.0):
            job = self._jobs[row.job_id] = Job(row)
            if job.state in (JobState.PENDING, JobState.RUNNING) and row.kind in self._kinds:
                self._enqueue(job)
            elif not job.has_ended and row.kind not in self._kinds:
                job.fail(Fault.NOT_IMPLEMENTED, "this gateway knows no such jobs any more")
                self._save(job)

    # --- what it is asked for --------------------------------------------------------------------

    def register(self, kind: JobKind) -> None:
        """See Jobs."""
        self._kinds[kind.name] = kind

    def submit(self, kind: str, request: Mapping[str, Any], priority: int = 0) -> str:
        """See Jobs. Raises StorageFull, StoreError: then it is not done."""
        job = new_job(self._kinds[kind], request, priority)
        with self._lock:
            self._jobs[job.job_id] = job
            saved = self._save(job, EventKind.JOB_SUBMITTED)
        try:
            if saved is not None:
                saved.result()
        except GatewayError:
            with self._lock:
                del self._jobs[job.job_id]
            raise
        with self._lock:
            if job.state is JobState.PENDING:  # nobody has cancelled or paused it meanwhile
                self._enqueue(job)
        return job.job_id

    def run(self, kind: str, request: Mapping[str, Any], priority: int = 0) -> JobView:
        """See Jobs. Raises ApiError when the gateway stops, or the time is over, before its end."""
        job = new_job(self._kinds[kind], request, priority)
        with self._lock:
            self._jobs[job.job_id] = job
            self._save(job, EventKind.JOB_SUBMITTED)
            self._enqueue(job)
            self._wait_for(job)
            if not job.has_ended:
                problem = "is stopping" if self._stopping else "waits no longer for a script's job"
                raise ApiError(Fault.TIMEOUT, f"the gateway {problem}")
            return job.view()

    def list(self) -> list[JobView]:
        """See Jobs."""
        with self._lock:
            return [job.view() for _, job in sorted(self._jobs.items())]

    def view(self, job_id: str) -> JobView | None:
        """See Jobs."""
        with self._lock:
            job = self._jobs.get(job_id)
            return job.view() if job else None

    def cancel(self, job_id: str) -> bool:
        """See Jobs."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job and job.state is JobState.RUNNING:
                job.wish = JobState.FAILURE
            elif job and not job.has_ended:
                job.fail(Fault.CANCELED_JOB)
                self._ended(job)
            return job is not None

    def pause(self, job_id: str) -> bool:
        """See Jobs."""
        with self._lock:
            job = self._jobs.get(job_id)
            if job and job.state is JobState.RUNNING:
                job.wish = JobState.PAUSED
            elif job and not job.has_ended:
                job.pause()
                self._save(job)
            return job is not None

    def resume(self, job_id: str) -> bool:
        """See Jobs."""
        return self._again(job_id, JobState.PAUSED)

    def resubmit(self, job_id: str) -> bool:
        """See Jobs."""
        return self._again(job_id, JobState.FAILURE)

    def output(self, job_id: str, name: str) -> JobOutput | None:
        """See Jobs."""
        with self._lock:
            job = self._jobs.get(job_id)
            return self._output(job, name) if job else None

    def delete_output(self, job_id: str, name: str) -> bool:
        """See Jobs."""
        with self._lock:
            job = self._jobs.get(job_id)
            output = self._output(job, name) if job else None
            if job is None or output is None:
                return False
            job.remove_output(name)
            self._save(job)
        output.path.unlink(missing_ok=True)
        return True

    # --- what becomes of jobs; the lock is held --------------------------------------------------

    def _again(self, job_id: str, state: JobState) -> bool:
        with self._lock:
            job = self._jobs.get(job_id)
            if job is None or job.state is not state or job.row.kind not in self._kinds:
                return False
            self._enqueue(job)
            self._save(job)
            return True

    def _wait_for(self, job: Job) -> None:
        """Until it has ended, or nobody can wait any longer."""
        while not (job.has_ended or self._stopping) and (left_s := seconds_left()) > 0:
            # A script that is interrupted does not notify us.
            self._has_ended.wait(None if left_s == inf else min(left_s, _LOOK_EVERY_S))

    def _enqueue(self, job: Job) -> None:
        """It waits for a thread, behind those of its priority."""
        job.wait(next(self._tickets))
        heapq.heappush(self._queue, (-job.row.priority, job.ticket, job))
        self._has_work.notify()

    def _output(self, job: Job, name: str) -> JobOutput | None:
        media_type = job.row.outputs.get(name)
        if job.state is not JobState.SUCCESS or media_type is None:
            return None
        return JobOutput(self._folder / job.job_id / name, media_type)

    def _ended(self, job: Job) -> None:
        has_succeeded = job.state is JobState.SUCCESS
        self._save(job, EventKind.JOB_SUCCESS if has_succeeded else EventKind.JOB_FAILURE)
        self._has_ended.notify_all()
        self._forget_the_oldest()

    def _forget_the_oldest(self) -> None:
        ended = [job for job in self._jobs.values() if job.has_ended]
        ended.sort(key=lambda job: job.row.completed_at or 0.0)
        going = ended[: max(0, len(ended) - self._history)]
        for job in going:
            del self._jobs[job.job_id]
            shutil.rmtree(self._folder / job.job_id, ignore_errors=True)
        if going and self._durable:
            self._table.delete([job.job_id for job in going])

    def _save(self, job: Job, told: EventKind | None = None) -> Future[None] | None:
        """Keep it, and tell scripts what became of it."""
        if self._durable:
            saved = self._table.save(job.row, told)
        elif told is not None:
            saved = self._table.tell(told, job.job_id, job.row.generation)
        else:
            return None
        self._latest_write = saved
        saved.add_done_callback(_log_a_failure)
        return saved

    # --- the threads -----------------------------------------------------------------------------

    def _work(self) -> None:
        while job := self._take():
            self._carry_out(job)

    def _take(self) -> Job | None:
        """The next job, begun; None when it is time to end."""
        with self._lock:
            while not self._stopping:
                while self._queue:
                    _, ticket, job = heapq.heappop(self._queue)
                    if ticket == job.ticket:
                        # Not saved: after a crash it has to begin anew anyway.
                        job.begin()
                        return job
                self._has_work.wait()
        return None

    def _carry_out(self, job: Job) -> None:
        """This is a border: whatever a job's work raises is its outcome, and is logged here."""
        kind = self._kinds[job.row.kind]
        run = _Run(self._lock, job, self._folder / job.job_id, self._is_unwanted)
        try:
            run.begin(kind)
            kind.work(run, job.row.request)
        except JobInterrupted:
            self._settle(job, lambda: self._interrupt(job))
        except ApiError as error:
            fault, details = error.fault, error.details
            self._settle(job, lambda: job.fail(fault, details))
        except GatewayError as error:
            details = str(error)
            fault = Fault.FULL_STORAGE if isinstance(error, StorageFull) else Fault.INTERNAL
            self._settle(job, lambda: job.fail(fault, details))
        except Exception:
            log.exception("a job came to grief", job=job.job_id, kind=kind.name)
            details = "a fault of the gateway; its log tells where"
            self._settle(job, lambda: job.fail(Fault.INTERNAL, details))
        else:
            self._settle(job, job.succeed)

    def _settle(self, job: Job, change: Callable[[], None]) -> None:
        with self._lock:
            change()
            if job.state is not JobState.SUCCESS:
                shutil.rmtree(self._folder / job.job_id, ignore_errors=True)
            if job.has_ended:
                self._ended(job)
            else:
                self._save(job)
        log.info(
            "a job came to rest",
            state=job.state,
            job=job.job_id,
            kind=job.row.kind,
            error=job.row.error_code,
            ms=round(job.row.run_seconds * 1000),
        )

    def _is_unwanted(self, job: Job) -> bool:
        return self._stopping or job.wish is not None

    def _interrupt(self, job: Job) -> None:
        if job.wish is JobState.FAILURE:
            job.fail(Fault.CANCELED_JOB)
        elif job.wish is JobState.PAUSED:
            job.pause()
        else:  # we stop, and it begins anew after the next start
            job.wait(ticket=0)


class _Run:
    """Implements Running for one job."""

    def __init__(
        self, lock: Lock, job: Job, folder: Path, is_unwanted: Callable[[Job], bool]
    ) -> None:
        self._lock = lock
        self._job = job
        self._folder = folder
        self._is_unwanted = is_unwanted

    def begin(self, kind: JobKind) -> None:
        """Forget what clients saw of an earlier run."""
        content = kind.describe(self._job.row.request)
        with self._lock:
            self._job.describe(content)

    @property
    def job_id(self) -> str:
        """See Running."""
        return self._job.job_id

    def progress(self, done: int, of: int) -> None:
        """See Running."""
        with self._lock:
            if self._is_unwanted(self._job):
                raise JobInterrupted
            self._job.progress(100 * done // of if of else 0)

    def tell(self, **content: Any) -> None:
        """See Running."""
        with self._lock:
            self._job.tell(content)

    def output(self, name: str, media_type: str) -> Path:
        """See Running."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            self._job.add_output(name, media_type)
        return self._folder / name


def _log_a_failure(saved: Future[None]) -> None:
    """A job goes on when it cannot be written down: what it does matters more."""
    if (error := saved.exception()) is not None:
        log.error("a job could not be kept", error=str(error))
