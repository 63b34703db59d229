"""Sending resources to a modality or a peer: what a request names, and the loop of the job."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from werkzeug import Request

from gateway.dicom import syntaxes
from gateway.errors import (
    FilterFailed,
    GatewayError,
    NotFound,
    NotToBeSent,
    RemoteError,
    StorageFull,
)
from gateway.logs import logger
from gateway.model import Level, Version
from gateway.rest import fields
from gateway.rest.answers import json_body
from gateway.rest.errors import ApiError, Fault, fault_of_filter
from gateway.rest.jobs import Running
from gateway.store.catalogue import Catalogue
from gateway.store.changes import log_export
from gateway.store.committer import Committer

log = logger("rest")

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")
_SYNTAXES = frozenset(syntax.uid for syntax in syntaxes.ALL)
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def checked_name(name: str) -> str:
    """The name that a remote is to have. Raises ApiError."""
    if not _NAME.fullmatch(name):
        raise ApiError(
            Fault.BAD_FILE_FORMAT, "a name consists of letters, digits, dashes and underscores"
        )
    return name


def export_of(request: Request) -> tuple[list[str], Mapping[str, Any]]:
    """The ids of what is to be sent, and the options beside them, none but in an object.

    The body is a bare id, or JSON: an id, a list of ids, an object with Resources. Raises ApiError.
    """
    bare = request.get_data().strip()
    if _is_id(bare.decode("latin_1")):
        return [bare.decode("ascii")], {}
    body = json_body(request)
    if isinstance(body, str):
        body = [body]
    if not isinstance(body, dict):
        return _checked_ids(body), {}
    if "Resources" not in body:
        raise ApiError(Fault.BAD_FILE_FORMAT, "Resources is missing")
    return _checked_ids(body["Resources"]), body


def syntax_asked(options: Mapping[str, Any]) -> str:
    """The transfer syntax UID that is to be sent, "" when that is left to us. Raises ApiError."""
    uid = fields.text(options, "Transcode", "")
    if uid and uid not in _SYNTAXES:
        raise ApiError(Fault.BAD_FILE_FORMAT, f"{uid!r} is no transfer syntax")
    return uid


def _checked_ids(ids: Any) -> list[str]:
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise ApiError(Fault.BAD_FILE_FORMAT, "resources have to be a list of their ids")
    for each in ids:
        if not _is_id(each):
            raise ApiError(Fault.BAD_FILE_FORMAT, f"{each!r} is not the id of a resource")
    return ids


def _is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def check_known(catalogue: Catalogue, resource_ids: Iterable[str]) -> None:
    """Raises ApiError for an id that names nothing."""
    for resource_id in resource_ids:
        if catalogue.get(resource_id) is None:
            raise ApiError(Fault.UNKNOWN_RESOURCE)


def instance_ids(catalogue: Catalogue, resource_ids: Iterable[str]) -> list[str]:
    """All instances of these resources, in their order. Raises ApiError for one that is unknown."""
    found: list[str] = []
    for resource_id in resource_ids:
        resource = catalogue.get(resource_id)
        if resource is None:
            raise ApiError(Fault.UNKNOWN_RESOURCE)
        found.extend(catalogue.related(resource, Level.INSTANCE))
    return found


def described(resource_ids: Sequence[str], instances: int) -> dict[str, Any]:
    """What every job that sends tells from the start."""
    content: dict[str, Any] = {
        "Description": "REST API",
        "FailedInstancesCount": 0,
        "InstancesCount": instances,
    }
    if resource_ids:
        content["ParentResources"] = sorted(set(resource_ids))
    return content


def send_each(
    running: Running,
    catalogue: Catalogue,
    instances: Sequence[str],
    send: Callable[[Version], None],
    *,
    permissive: bool,
) -> None:
    """Send one instance after the other. permissive: go on after one that cannot be sent.

    What a script's filter does not want to be sent is told, and no failure.

    Raises ApiError for the first of these otherwise.
    """
    failed = filtered = 0
    for done, instance_id in enumerate(instances):
        running.progress(done, len(instances))
        try:
            send(_current(catalogue, instance_id))
        except NotToBeSent as unwanted:
            filtered += 1
            running.tell(FilteredOutInstancesCount=filtered)
            log.info("instance is not sent", instance=instance_id, reason=str(unwanted))
        except GatewayError as error:
            if not permissive:
                raise as_api_error(error) from error
            failed += 1
            running.tell(FailedInstancesCount=failed)
            log.warning(
                "instance was not sent", instance=instance_id, kind=error.kind, reason=str(error)
            )


def as_api_error(error: GatewayError) -> ApiError:
    """What a client is told when an instance could not be sent."""
    if isinstance(error, RemoteError):
        return ApiError(Fault.NETWORK_PROTOCOL, error.detail)
    if isinstance(error, FilterFailed):
        return ApiError(fault_of_filter(error), str(error))
    if isinstance(error, NotFound):
        return ApiError(Fault.UNKNOWN_RESOURCE, str(error))
    if isinstance(error, StorageFull):
        return ApiError(Fault.FULL_STORAGE, str(error))
    return ApiError(Fault.INTERNAL, str(error))


def log_exports(
    catalogue: Catalogue, committer: Committer, resource_ids: Iterable[str], remote: str
) -> None:
    """Note for /exports that these were sent. Raises StorageFull, StoreError."""
    for resource_id in resource_ids:
        resource = catalogue.get(resource_id)
        if resource is not None:
            _log_export(committer, resource.level, resource_id, remote)


def _log_export(committer: Committer, level: Level, resource_id: str, remote: str) -> None:
    committer.commit(lambda connection: log_export(connection, level, resource_id, remote))


def _current(catalogue: Catalogue, instance_id: str) -> Version:
    version = catalogue.version(instance_id)
    if version is None:
        raise NotFound(f"instance {instance_id} is not there any more")
    return version
