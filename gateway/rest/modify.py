"""/modify and /anonymize: of an instance, which is answered; of all others, as jobs."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from werkzeug import Request, Response

from gateway.dicom.modify import BadValue, Uids
from gateway.dicom.texts import DoesNotFit
from gateway.errors import GatewayError, LoopNoticed, TranscodeError
from gateway.model import Level, Origin
from gateway.rest import fields
from gateway.rest.answers import json_object
from gateway.rest.application import origin_of
from gateway.rest.errors import ApiError, Fault
from gateway.rest.file_answer import whole_file
from gateway.rest.jobs import JobKind
from gateway.rest.lookup import resource_of, version_of
from gateway.rest.modification import Asked, asked_of
from gateway.rest.modify_job import ModifyJob, known_uids, refused, remaker_for
from gateway.rest.routes import Route
from gateway.rest.services import Services
from gateway.rest.submission import answer_with_job, submission_of
from gateway.work.rewriting import Rewritten

KIND = "ResourceModification"
_COLLECTIONS = {
    Level.PATIENT: "patients",
    Level.STUDY: "studies",
    Level.SERIES: "series",
}
_STAGED = "m"


def modify_routes(services: Services) -> tuple[Route, ...]:
    """Modification and anonymization on all levels."""
    services.jobs.register(JobKind(KIND, ModifyJob(services).work, ModifyJob.describe, stores=True))
    handlers = _Handlers(services)
    operations = (("modify", False), ("anonymize", True))
    return tuple(
        Route("POST", f"/{collection}/<resource_id>/{name}", handlers.of(level, anonymize))
        for level, collection in _COLLECTIONS.items()
        for name, anonymize in operations
    ) + tuple(
        Route("POST", f"/instances/<resource_id>/{name}", handlers.of_instance(anonymize))
        for name, anonymize in operations
    )


class _Handlers:
    def __init__(self, services: Services) -> None:
        self._services = services

    def of(self, level: Level, anonymize: bool) -> Callable[..., Response]:
        """The handler for a patient, a study or a series."""

        def handler(request: Request, resource_id: str) -> Response:
            body = json_object(request)
            asked_of(body, level, anonymize=anonymize)
            origin = origin_of(request)
            _check_loop(self._services, origin)
            submission = submission_of(body)
            resource = resource_of(self._services, level, resource_id)
            instances = self._services.catalogue.related(resource, Level.INSTANCE)
            work: dict[str, Any] = {
                "Anonymize": anonymize,
                "Body": body,
                "InstancesCount": len(instances),
                "KeepSource": fields.boolean(body, "KeepSource", True),
                "Level": level,
                "Origin": asdict(origin),
                "Permissive": fields.boolean(body, "Permissive", False),
                "Resource": resource_id,
                # What new identifiers are made with: the same ones, should it have to begin anew.
                "Salt": uuid4().hex,
            }
            return answer_with_job(self._services.jobs, KIND, work, submission)

        return handler

    def of_instance(self, anonymize: bool) -> Callable[..., Response]:
        """The handler for an instance: the answer is the modified file, which is not kept."""

        def handler(request: Request, resource_id: str) -> Response:
            asked = asked_of(json_object(request), Level.INSTANCE, anonymize=anonymize)
            try:
                return self._instance(resource_id, asked)
            except (GatewayError, BadValue, DoesNotFit) as error:
                raise _refused(error, asked) from error

        return handler

    def _instance(self, resource_id: str, asked: Asked) -> Response:
        services = self._services
        version = version_of(services, resource_id)
        resource = resource_of(services, Level.INSTANCE, resource_id)
        salt = uuid4().hex
        uids = Uids(known_uids(services, resource, [version], asked, salt), salt)
        remaker = remaker_for(services, asked, insists=True)
        with remaker.remade(version, asked.modification(uids)) as result:
            return self._file(result)

    def _file(self, result: Rewritten) -> Response:
        staged = self._services.store.files.stage(_STAGED)
        try:
            result.write_file(staged.path)
            return whole_file(staged.path, "application/dicom")
        finally:
            staged.discard()  # what is open can be read all the same


def _check_loop(services: Services, origin: Origin) -> None:
    """At once: what a script is told when the job has failed, it may answer with another job."""
    try:
        services.ingest.check_loop(origin)
    except LoopNoticed as loop:
        raise ApiError(Fault.LOOP, str(loop)) from None


def _refused(error: Exception, asked: Asked) -> ApiError:
    if isinstance(error, TranscodeError) and asked.transcode:
        return ApiError(
            Fault.INTERNAL, f"Cannot transcode to transfer syntax: {asked.transcode} ({error})"
        )
    return refused(error)
