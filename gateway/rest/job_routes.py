"""/jobs: what is done in the background, and what clients may do about it."""

from collections.abc import Callable
from datetime import UTC, datetime
from mimetypes import guess_extension
from typing import Any

from werkzeug import Request, Response

from gateway.rest.answers import flag, json_answer, nothing
from gateway.rest.errors import ApiError, Fault, UnknownId, fault_of
from gateway.rest.file_answer import file_answer
from gateway.rest.jobs import JobOutput, Jobs, JobView
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.store.times import basic_format


def job_routes(services: Services) -> tuple[Route, ...]:
    """Jobs of every kind."""
    jobs = services.jobs
    handlers = _Handlers(jobs)
    return (
        Route("GET", "/jobs", handlers.list),
        Route("GET", "/jobs/<job_id>", handlers.get),
        Route("POST", "/jobs/<job_id>/cancel", _action(jobs.cancel)),
        Route("POST", "/jobs/<job_id>/pause", _action(jobs.pause)),
        Route("POST", "/jobs/<job_id>/resume", _action(jobs.resume)),
        Route("POST", "/jobs/<job_id>/resubmit", _action(jobs.resubmit)),
        Route("GET", "/jobs/<job_id>/<name>", handlers.get_output),
        Route("DELETE", "/jobs/<job_id>/<name>", handlers.delete_output),
    )


class _Handlers:
    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def list(self, request: Request) -> Response:
        views = self._jobs.list()
        if flag(request, "expand"):
            return json_answer([job_json(view) for view in views])
        return json_answer([view.job_id for view in views])

    def get(self, request: Request, job_id: str) -> Response:
        view = self._jobs.view(job_id)
        if view is None:
            raise UnknownId
        return json_answer(job_json(view))

    def get_output(self, request: Request, job_id: str, name: str) -> Response:
        output = self._jobs.output(job_id, name)
        if output is None:
            raise _no_output(name)
        try:
            return _file_answer(request, output)
        except FileNotFoundError:  # the job was forgotten meanwhile
            raise _no_output(name) from None

    def delete_output(self, request: Request, job_id: str, name: str) -> Response:
        if not self._jobs.delete_output(job_id, name):
            raise _no_output(name)
        return nothing()


def _action(act: Callable[[str], bool]) -> Callable[..., Response]:
    def handler(request: Request, job_id: str) -> Response:
        # As Orthanc answers a job that is not there, or not in the state for that.
        return nothing() if act(job_id) else Response(status=400)

    return handler


def _file_answer(request: Request, output: JobOutput) -> Response:
    """The file, whole or in part. Raises FileNotFoundError."""
    path, extension = output.path, guess_extension(output.media_type) or ""
    tag = f"{path.parent.name}-{path.name}"
    return file_answer(request, path, output.media_type, name=f"{path.name}{extension}", tag=tag)


def job_json(view: JobView) -> dict[str, Any]:
    """A job in the words of Orthanc's clients. Times are UTC."""
    content: dict[str, Any] = {
        "Content": dict(view.content),
        "CreationTime": _time_text(view.created_at),
        "EffectiveRuntime": round(view.run_seconds, 3),
        "ErrorCode": view.error_code,
        "ErrorDescription": fault_of(view.error_code).text if view.error_code else "Success",
        "ErrorDetails": view.error_details,
        "ID": view.job_id,
        "Priority": view.priority,
        "Progress": view.progress,
        "State": view.state,
        "Timestamp": _time_text(datetime.now(UTC)),
        "Type": view.kind,
    }
    if view.completed_at is not None:
        content["CompletionTime"] = _time_text(view.completed_at)
    return content


def _time_text(moment: datetime) -> str:
    return f"{basic_format(moment)}.{moment:%f}"


def _no_output(name: str) -> ApiError:
    return ApiError(Fault.INEXISTENT_ITEM, f"Job has no such output: {name}")
