"""The engine of jobs, over a real table."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.rest.engine import JobEngine
from gateway.rest.errors import ApiError, Fault
from gateway.rest.jobs import JobKind, JobState, Running
from gateway.rest.patience import patience_of
from gateway.store.jobs import JobTable
from gateway.store.opened import Store
from tests.waiting import wait_until


class Gate:
    """Work that waits to be let through, and tells what it has begun."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._open = threading.Semaphore(0)

    def work(self, running: Running, request: Mapping[str, Any]) -> None:
        self.begun.append(request["name"])
        while not self._open.acquire(timeout=0.01):
            running.progress(1, 4)

    def let_through(self, jobs: int = 1) -> None:
        self._open.release(jobs)


@pytest.fixture
def gate() -> Gate:
    return Gate()


Start = Callable[..., JobEngine]


@pytest.fixture
def start(store: Store, tmp_path: Path, gate: Gate) -> Iterator[Start]:
    """Starts engines over the one table; what still runs at the end is stopped."""
    started = []

    def start_engine(*kinds: JobKind, **options: Any) -> JobEngine:
        settings = {"workers": 1, "history": 10, "durable": True} | options
        engine = JobEngine(JobTable(store.engine, store.committer), tmp_path / "jobs", **settings)
        for kind in (JobKind("Gate", gate.work), *kinds):
            engine.register(kind)
        engine.start()
        started.append(engine)
        return engine

    yield start_engine
    for engine in started:
        engine.stop()


def named(name: str) -> dict[str, str]:
    return {"name": name}


def state(engine: JobEngine, job_id: str) -> JobState:
    view = engine.view(job_id)
    assert view is not None
    return view.state


def wait_for(engine: JobEngine, job_id: str, wanted: JobState) -> None:
    wait_until(lambda: state(engine, job_id) is wanted)


def failing(error: Exception) -> JobKind:
    def work(running: Running, request: Mapping[str, Any]) -> None:
        raise error

    return JobKind("Failing", work)


def writing(text: str) -> JobKind:
    def work(running: Running, request: Mapping[str, Any]) -> None:
        running.output("archive", "application/zip").write_text(text)

    return JobKind("Writing", work)


def test_a_submitted_job_is_done_and_tells_what_it_did(start):
    def work(running: Running, request: Mapping[str, Any]) -> None:
        running.progress(1, 2)
        running.tell(Copied=request["copies"])

    engine = start(JobKind("Copy", work, lambda request: {"Description": "REST API"}))

    job_id = engine.submit("Copy", {"copies": 3}, priority=4)

    wait_for(engine, job_id, JobState.SUCCESS)
    view = engine.view(job_id)
    assert (view.kind, view.priority, view.progress, view.error_code) == ("Copy", 4, 100, 0)
    assert view.content == {"Description": "REST API", "Copied": 3}
    assert view.completed_at >= view.created_at


def test_run_answers_when_the_job_has_ended(start, gate):
    engine = start()
    gate.let_through()

    assert engine.run("Gate", named("a")).state is JobState.SUCCESS


def test_a_script_whose_time_is_over_waits_no_longer_and_the_job_goes_on(start, gate):
    engine = start()
    deadline_s = time.monotonic() + 0.05
    with (
        patience_of(lambda: deadline_s - time.monotonic()),
        pytest.raises(ApiError, match="waits no longer") as caught,
    ):
        engine.run("Gate", named("a"))

    assert caught.value.fault is Fault.TIMEOUT
    gate.let_through()
    (job,) = engine.list()
    wait_for(engine, job.job_id, JobState.SUCCESS)


def test_a_script_that_is_interrupted_waits_no_longer(start, gate):
    engine = start()
    with (
        patience_of(lambda: 0.0 if gate.begun else 60.0),
        pytest.raises(ApiError, match="waits no longer"),
    ):
        engine.run("Gate", named("a"))
    gate.let_through()


def test_run_answers_for_a_job_that_the_history_forgets_at_once(start, gate):
    engine = start(history=0)
    gate.let_through()

    assert engine.run("Gate", named("a")).state is JobState.SUCCESS
    assert engine.list() == []


def test_an_error_of_the_request_is_the_error_of_the_job(start):
    engine = start(failing(ApiError(Fault.NETWORK_PROTOCOL, "nobody listens")))

    view = engine.run("Failing", {})

    assert view.state is JobState.FAILURE
    assert (view.error_code, view.error_details) == (9, "nobody listens")


def test_an_unexpected_error_fails_the_job_quotes_nothing_and_harms_no_other(start, gate):
    engine = start(failing(ValueError("DOE^JOHN")))
    gate.let_through()

    view = engine.run("Failing", {})

    assert (view.state, view.error_code) == (JobState.FAILURE, -1)
    assert "DOE" not in view.error_details
    assert engine.run("Gate", named("next")).state is JobState.SUCCESS


def test_jobs_wait_for_a_free_thread_the_highest_priority_first(start, gate):
    engine = start()
    first = engine.submit("Gate", named("first"))
    wait_for(engine, first, JobState.RUNNING)
    waiting = [engine.submit("Gate", named(name), priority) for name, priority in
               (("low", -1), ("usual", 0), ("later", 0), ("high", 5))]  # fmt: skip
    assert {state(engine, job_id) for job_id in waiting} == {JobState.PENDING}

    gate.let_through(5)

    wait_for(engine, waiting[0], JobState.SUCCESS)
    assert gate.begun == ["first", "high", "usual", "later", "low"]


def test_so_many_jobs_run_together_as_there_are_workers(start, gate):
    engine = start(workers=2)
    ids = [engine.submit("Gate", named(name)) for name in "abc"]

    wait_until(lambda: len(gate.begun) == 2)

    states = [state(engine, job_id) for job_id in ids]
    assert states == [JobState.RUNNING, JobState.RUNNING, JobState.PENDING]


def test_a_running_job_is_cancelled_when_it_tells_its_progress(start):
    engine = start()
    job_id = engine.submit("Gate", named("a"))
    wait_for(engine, job_id, JobState.RUNNING)

    assert engine.cancel(job_id)

    wait_for(engine, job_id, JobState.FAILURE)
    assert engine.view(job_id).error_code == 37


def test_a_waiting_job_is_cancelled_at_once_and_never_begins(start, gate):
    engine = start()
    engine.submit("Gate", named("running"))
    job_id = engine.submit("Gate", named("cancelled"))
    last = engine.submit("Gate", named("last"))

    engine.cancel(job_id)
    assert state(engine, job_id) is JobState.FAILURE
    gate.let_through(2)

    wait_for(engine, last, JobState.SUCCESS)
    assert gate.begun == ["running", "last"]


def test_whoever_waits_for_a_cancelled_job_is_told(start, gate):
    engine = start()
    engine.submit("Gate", named("running"))
    views = []
    waiter = threading.Thread(target=lambda: views.append(engine.run("Gate", named("b"))))
    waiter.start()
    wait_until(lambda: len(engine.list()) == 2)

    for view in engine.list():
        engine.cancel(view.job_id)

    waiter.join()
    assert views[0].error_code == 37


def test_a_paused_job_begins_anew_when_it_is_resumed(start, gate):
    engine = start()
    job_id = engine.submit("Gate", named("a"))
    wait_for(engine, job_id, JobState.RUNNING)
    engine.pause(job_id)
    wait_for(engine, job_id, JobState.PAUSED)
    assert not engine.resubmit(job_id)

    assert engine.resume(job_id)
    gate.let_through()

    wait_for(engine, job_id, JobState.SUCCESS)
    assert gate.begun == ["a", "a"]


def test_a_waiting_job_that_is_paused_and_resumed_is_done_once(start, gate):
    engine = start()
    engine.submit("Gate", named("running"))
    job_id = engine.submit("Gate", named("a"))
    engine.pause(job_id)
    engine.resume(job_id)
    last = engine.submit("Gate", named("last"))

    gate.let_through(3)

    wait_for(engine, last, JobState.SUCCESS)
    assert gate.begun == ["running", "a", "last"]


def test_a_failed_job_is_done_again_when_it_is_resubmitted(start):
    outcomes = iter([ApiError(Fault.NETWORK_PROTOCOL, "down"), None])

    def work(running: Running, request: Mapping[str, Any]) -> None:
        if error := next(outcomes):
            raise error

    engine = start(JobKind("Flaky", work))
    job_id = engine.run("Flaky", {}).job_id
    assert not engine.resume(job_id)

    assert engine.resubmit(job_id)

    wait_for(engine, job_id, JobState.SUCCESS)
    view = engine.view(job_id)
    assert (view.error_code, view.error_details) == (0, "")
    assert not engine.resubmit(job_id)


def test_nothing_happens_to_a_job_that_has_ended(start, gate):
    engine = start()
    gate.let_through()
    job_id = engine.run("Gate", named("a")).job_id

    assert engine.cancel(job_id)
    assert engine.pause(job_id)

    assert state(engine, job_id) is JobState.SUCCESS


def test_unknown_jobs_are_refused(start):
    engine = start()

    assert engine.view("nope") is None
    assert engine.output("nope", "archive") is None
    assert not any(
        act("nope") for act in (engine.cancel, engine.pause, engine.resume, engine.resubmit)
    )


def test_only_the_latest_ended_jobs_are_remembered(start, gate):
    engine = start(history=2)
    gate.let_through(4)
    ids = [engine.run("Gate", named(name)).job_id for name in "abcd"]

    assert {view.job_id for view in engine.list()} == set(ids[2:])


def test_a_file_that_a_job_has_made_goes_with_the_job(start, gate):
    engine = start(writing("zip"), history=1)
    job_id = engine.run("Writing", {}).job_id

    output = engine.output(job_id, "archive")
    assert (output.path.read_text(), output.media_type) == ("zip", "application/zip")
    assert engine.output(job_id, "other") is None

    gate.let_through()
    engine.run("Gate", named("next"))
    assert not output.path.exists()


def test_a_file_that_a_job_has_made_can_be_deleted(start):
    engine = start(writing("zip"))
    job_id = engine.run("Writing", {}).job_id
    path = engine.output(job_id, "archive").path

    assert engine.delete_output(job_id, "archive")

    assert not path.exists()
    assert engine.output(job_id, "archive") is None
    assert not engine.delete_output(job_id, "archive")


def test_jobs_that_had_not_ended_begin_anew_after_a_restart(start, gate):
    engine = start()
    ids = [engine.submit("Gate", named(name), priority) for name, priority in
           (("running", 0), ("low", -1), ("high", 1))]  # fmt: skip
    wait_for(engine, ids[0], JobState.RUNNING)
    engine.stop()

    restarted = start()
    gate.let_through(3)

    for job_id in ids:
        wait_for(restarted, job_id, JobState.SUCCESS)
    assert gate.begun[0] == "running"
    assert gate.begun[1:] == ["high", "running", "low"]


def test_ended_and_paused_jobs_are_as_they_were_after_a_restart(start, gate):
    engine = start(failing(ApiError(Fault.TIMEOUT, "late")), writing("zip"))
    paused = engine.submit("Gate", named("paused"))
    engine.pause(paused)
    wait_for(engine, paused, JobState.PAUSED)
    failed, written = engine.run("Failing", {}).job_id, engine.run("Writing", {}).job_id
    before = engine.list()
    engine.stop()

    restarted = start(writing("zip"))

    assert restarted.list() == before
    assert restarted.view(failed).error_details == "late"
    assert restarted.output(written, "archive").path.read_text() == "zip"


def test_a_job_of_a_kind_that_is_gone_fails_after_a_restart(start):
    engine = start(workers=0)
    engine.register(failing(ValueError()))
    job_id = engine.submit("Failing", {})
    engine.stop()

    view = start().view(job_id)

    assert (view.state, view.error_code) == (JobState.FAILURE, Fault.NOT_IMPLEMENTED.number)


def test_jobs_that_are_not_durable_are_gone_after_a_restart(start, gate, tmp_path):
    engine = start(writing("zip"), durable=False)
    written = engine.run("Writing", {}).job_id
    engine.stop()
    left = tmp_path / "jobs" / written
    assert left.exists()

    restarted = start(durable=False)

    assert restarted.list() == []
    assert not left.exists()


def test_whoever_waits_for_a_job_is_told_when_the_gateway_stops(start, gate):
    engine = start()
    told = []

    def wait() -> None:
        try:
            engine.run("Gate", named("a"))
        except ApiError as error:
            told.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    wait_until(lambda: bool(gate.begun))
    engine.stop()

    waiter.join()
    assert len(told) == 1


@pytest.mark.parametrize("durable", [True, False])
def test_scripts_are_told_of_a_job_and_how_it_ended(start, store, durable):
    store.outbox.open_lane("jobs.lua")
    engine = start(writing("zip"), failing(ValueError()), durable=durable)
    written = engine.run("Writing", {}).job_id
    failed = engine.submit("Failing", {})
    wait_for(engine, failed, JobState.FAILURE)
    engine.stop()
    told = [(e.kind.value, e.subject) for e in store.outbox.pending("jobs.lua", 10)]
    assert told == [
        ("OnJobSubmitted", written), ("OnJobSuccess", written),
        ("OnJobSubmitted", failed), ("OnJobFailure", failed),
    ]  # fmt: skip
