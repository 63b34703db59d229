"""/jobs, over the real engine."""

import dataclasses
import re
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rest_support import LUA
from werkzeug import Response

from gateway.rest.application import Application
from gateway.rest.engine import JobEngine
from gateway.rest.errors import ApiError, Fault
from gateway.rest.job_routes import job_json, job_routes
from gateway.rest.jobs import JobKind, JobState, JobView, Running
from gateway.store.jobs import JobTable
from tests.waiting import wait_until


def archive(running: Running, request: Mapping[str, Any]) -> None:
    running.output("archive", "application/zip").write_text("zipped")


def fail(running: Running, request: Mapping[str, Any]) -> None:
    raise ApiError(Fault.NETWORK_PROTOCOL, "nobody listens")


class Endless:
    """A job that goes on until it is interrupted."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)

    def work(self, running: Running, request: Mapping[str, Any]) -> None:
        self.begun.release()
        while True:
            running.progress(1, 2)
            threading.Event().wait(0.005)


@pytest.fixture
def endless() -> Endless:
    return Endless()


@pytest.fixture
def engine(gateway_api, tmp_path: Path, endless: Endless) -> Iterator[JobEngine]:
    store = gateway_api.services.store
    table = JobTable(store.engine, store.committer)
    engine = JobEngine(table, tmp_path / "jobs", workers=1, history=10, durable=True)
    for kind in (
        JobKind("Archive", archive),
        JobKind("Failing", fail),
        JobKind("Endless", endless.work),
    ):
        engine.register(kind)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def application(gateway_api, engine: JobEngine) -> Application:
    return Application(job_routes(dataclasses.replace(gateway_api.services, jobs=engine)))


def ask(application: Application, method: str, uri: str) -> Response:
    return application.call(method, uri, origin=LUA)


def test_jobs_are_listed_by_their_ids_or_as_a_whole(application, engine):
    ids = sorted(engine.run("Archive", {}).job_id for _ in range(3))

    assert ask(application, "GET", "/jobs").get_json() == ids
    expanded = ask(application, "GET", "/jobs?expand").get_json()
    assert [job["ID"] for job in expanded] == ids
    assert {job["State"] for job in expanded} == {"Success"}


def test_a_job_is_told_in_the_words_that_clients_know():
    view = JobView(
        job_id="5f3",
        kind="DicomModalityStore",
        state=JobState.FAILURE,
        priority=3,
        progress=20,
        content={"RemoteAet": "ARCHIVE"},
        error_code=9,
        error_details="nobody listens",
        created_at=datetime(2026, 11, 22, 19, 43, 19, 205168, tzinfo=UTC),
        completed_at=datetime(2026, 11, 22, 19, 43, 20, tzinfo=UTC),
        run_seconds=0.7949999,
    )

    told = job_json(view)

    assert re.fullmatch(r"\d{8}T\d{6}\.\d{6}", told.pop("Timestamp"))
    assert told == {
        "CompletionTime": "20261122T194320.000000",
        "Content": {"RemoteAet": "ARCHIVE"},
        "CreationTime": "20261122T194319.205168",
        "EffectiveRuntime": 0.795,
        "ErrorCode": 9,
        "ErrorDescription": "Error in the network protocol",
        "ErrorDetails": "nobody listens",
        "ID": "5f3",
        "Priority": 3,
        "Progress": 20,
        "State": "Failure",
        "Type": "DicomModalityStore",
    }


def test_a_job_that_runs_has_no_completion_time(application, engine, endless):
    job_id = engine.submit("Endless", {})
    endless.begun.acquire()

    told = ask(application, "GET", f"/jobs/{job_id}").get_json()

    assert (told["State"], told["ErrorDescription"]) == ("Running", "Success")
    assert "CompletionTime" not in told


def test_an_unknown_job_is_not_found_without_a_body(application):
    answer = ask(application, "GET", "/jobs/nope")

    assert (answer.status_code, answer.get_data()) == (404, b"")


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "resubmit"])
def test_nothing_can_be_done_about_an_unknown_job(application, action):
    answer = ask(application, "POST", f"/jobs/nope/{action}")

    assert (answer.status_code, answer.get_data()) == (400, b"")


@pytest.mark.parametrize(
    ("action", "status"), [("cancel", 200), ("pause", 200), ("resume", 400), ("resubmit", 400)]
)
def test_a_successful_job_is_left_as_it_is(application, engine, action, status):
    job_id = engine.run("Archive", {}).job_id

    assert ask(application, "POST", f"/jobs/{job_id}/{action}").status_code == status

    assert ask(application, "GET", f"/jobs/{job_id}").get_json()["State"] == "Success"


def test_a_job_is_paused_resumed_and_cancelled(application, engine, endless):
    job_id = engine.submit("Endless", {})
    endless.begun.acquire()

    def state() -> str:
        return ask(application, "GET", f"/jobs/{job_id}").get_json()["State"]

    assert ask(application, "POST", f"/jobs/{job_id}/pause").get_json() == {}
    wait_until(lambda: state() == "Paused")
    assert ask(application, "POST", f"/jobs/{job_id}/resume").get_json() == {}
    endless.begun.acquire()
    assert ask(application, "POST", f"/jobs/{job_id}/cancel").get_json() == {}
    wait_until(lambda: state() == "Failure")

    told = ask(application, "GET", f"/jobs/{job_id}").get_json()
    assert (told["ErrorCode"], told["ErrorDescription"]) == (37, "This job was canceled")


def test_a_failed_job_is_resubmitted(application, engine):
    job_id = engine.run("Failing", {}).job_id

    answer = ask(application, "POST", f"/jobs/{job_id}/resubmit")

    assert (answer.status_code, answer.get_json()) == (200, {})


def test_what_a_job_has_made_is_downloaded_under_its_name(application, engine):
    job_id = engine.run("Archive", {}).job_id

    answer = ask(application, "GET", f"/jobs/{job_id}/archive")

    assert b"".join(answer.response) == b"zipped"
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == 'filename="archive.zip"'
    assert answer.headers["Content-Length"] == "6"
    answer.close()


def test_what_a_job_has_made_can_be_deleted(application, engine):
    job_id = engine.run("Archive", {}).job_id

    assert ask(application, "DELETE", f"/jobs/{job_id}/archive").status_code == 200
    assert ask(application, "DELETE", f"/jobs/{job_id}/archive").status_code == 404
    assert ask(application, "GET", f"/jobs/{job_id}/archive").status_code == 404


@pytest.mark.parametrize("job", ["nope", "known"])
def test_what_a_job_has_not_made_is_an_error_that_names_it(application, engine, job):
    job_id = engine.run("Failing", {}).job_id if job == "known" else job

    answer = ask(application, "GET", f"/jobs/{job_id}/archive")

    assert answer.status_code == 404
    assert answer.get_json()["OrthancStatus"] == 7
    assert answer.get_json()["Details"] == "Job has no such output: archive"
