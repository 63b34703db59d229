"""From the body of a request to a job that is waited for, or done in the background."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug import Response

from gateway.rest import fields
from gateway.rest.answers import json_answer
from gateway.rest.errors import ApiError, fault_of
from gateway.rest.jobs import Jobs, JobState


@dataclass(frozen=True, slots=True)
class Submission:
    """How a client wants a job done."""

    synchronous: bool
    priority: int


def submission_of(options: Mapping[str, Any], *, synchronous: bool = True) -> Submission:
    """What the body asks for; Synchronous is stronger than Asynchronous. Raises ApiError.

    synchronous: what is meant when it says neither.
    """
    asynchronous = fields.boolean(options, "Asynchronous", not synchronous)
    return Submission(
        fields.boolean(options, "Synchronous", not asynchronous),
        fields.integer(options, "Priority", 0),
    )


def answer_with_job(
    jobs: Jobs, kind: str, request: Mapping[str, Any], submission: Submission
) -> Response:
    """Have it done, and answer: what was done, or the job that does it.

    Raises ApiError, also for what the job met with.
    """
    if not submission.synchronous:
        job_id = jobs.submit(kind, request, submission.priority)
        return json_answer({"ID": job_id, "Path": f"/jobs/{job_id}"})
    view = jobs.run(kind, request, submission.priority)
    if view.state is not JobState.SUCCESS:
        raise ApiError(fault_of(view.error_code), view.error_details)
    return json_answer(dict(view.content))
